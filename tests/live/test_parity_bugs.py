"""Bugs that people reported of other programs, made again in PyTorch, and what is said of them."""

from __future__ import annotations

import copy
import dataclasses
import json
import threading
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import sentence_transformers
    import torch
    from sentence_transformers.models import Normalize, Pooling, Transformer
    from tokenizers import normalizers

from live import tiny_directory
from tasks.task_models import lively
from text import tiny_model

from npbert import BertBackbone
from npbert.parity.compare import compare
from npbert.parity.sources import open_source
from npbert.parity.sources.of_http import HttpSource
from npbert.parity.sources.of_npbert import NpbertSource
from npbert.parity.sources.of_sentence_transformers import SentenceTransformersSource
from npbert.parity.sources.of_torch import TorchSource
from npbert.weights.names import tensors

pytestmark = pytest.mark.live

TEXTS = [
    "the old mill",
    "The River runs past our House",
    "an old stone mill near the river 東京 and the bridge",
    "the mill and the bridge and the house and the river and the stone",
    "old",
]


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A tiny sentence-transformers model: erf GELU, mean pooling, normalized, 11 tokens."""
    torch.set_num_threads(1)
    return written(tmp_path_factory.mktemp("tiny") / "model")


def written(folder, **settings):
    """With weights that make a difference to see."""
    weights = lively(tensors(tiny_model.CONFIG), 8)
    return tiny_directory.write(folder, tiny_model.CONFIG, weights, **settings)


@pytest.fixture(scope="module")
def right(directory):
    return open_source(str(directory))


@pytest.fixture
def theirs(directory):
    """sentence-transformers' model, to be got wrong."""
    settings = {"attn_implementation": "eager"}
    transformer = Transformer(
        str(directory), max_seq_length=tiny_model.LIMIT, model_kwargs=settings
    )
    return with_modules(transformer, Pooling(20, pooling_mode="mean"), Normalize())


def with_modules(*modules):
    return sentence_transformers.SentenceTransformer(modules=[*modules], device="cpu")


@pytest.fixture(scope="module")
def inputs(right):
    """Two texts a row, and padding."""
    random = np.random.default_rng(3)
    places = np.arange(9) + np.zeros((3, 1), int)
    mask = places < np.array([[9], [7], [4]])
    arrays = {
        "token_ids": random.integers(5, right.config.vocabulary_size, mask.shape) * mask,
        "segment_ids": (places >= 3) * mask,
        "padding_mask": mask,
    }
    return {name: array.astype(np.int32) for name, array in arrays.items()}


@pytest.fixture
def serve():
    """Starts a server that gives a model's vectors, and nothing else."""
    servers = []

    def start(model):
        class Answer(BaseHTTPRequestHandler):
            def do_POST(self):
                asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                rows = [model.encode(text) for text in asked["input"]]
                data = [{"index": i, "embedding": row.tolist()} for i, row in enumerate(rows)]
                body = json.dumps({"data": data}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_):
                pass

        servers.append(ThreadingHTTPServer(("127.0.0.1", 0), Answer))
        threading.Thread(target=servers[-1].serve_forever, daemon=True).start()
        return HttpSource(f"http://127.0.0.1:{servers[-1].server_port}/v1/embeddings")

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


def with_activation(right, activation):
    """npbert's model with another config."""
    config = dataclasses.replace(right.config, activation=activation)
    return NpbertSource(BertBackbone.from_weights(config, right.weights(), num_threads=1))


def test_transformers_14221(right, theirs, inputs):
    """https://github.com/huggingface/transformers/issues/14221

    Google's BERT has the tanh GELU, transformers' the erf GELU. Both show hidden states only.
    """
    a, b = with_activation(right, "gelu_approximate"), TorchSource(theirs[0].auto_model)
    for side in (a, b):
        run = side.run
        side.run = lambda x, run=run: {
            stage: array
            for stage, array in run(x).items()
            if stage.endswith("layer_norm") and not stage.endswith("attention_layer_norm")
        }
    said = compare(a, b, inputs=inputs).diagnosis
    assert (said.cause, said.stage) == ("gelu_erf", "layer.0.output_layer_norm"), said
    assert "comes from layer.0.activation, which is the erf GELU" in said.sentence
    assert "in every layer" in said.sentence


def test_keras_bert_129(right, theirs, inputs):
    """https://github.com/CyberZHG/keras-bert/issues/129"""
    a, b = with_activation(right, "gelu_approximate"), TorchSource(theirs[0].auto_model)
    said = compare(a, b, inputs=inputs).diagnosis
    assert (said.cause, said.stage) == ("gelu_erf", "layer.0.activation"), said
    assert 1e-5 < said.error_before < 4.74e-4


@pytest.mark.filterwarnings("ignore")
def test_keras_hub_from_a_checkpoint_of_transformers(directory, theirs, inputs, measured):
    """Keras Hub has the tanh GELU whatever the checkpoint says: here, what its loading changes."""
    a, b = open_source(f"keras:{directory}"), TorchSource(theirs[0].auto_model)
    report = compare(a, b, inputs=inputs)
    said = report.diagnosis
    assert (said.cause, said.stage) == ("gelu_erf", "layer.0.activation"), said
    assert said.also == ()
    assert "where the tanh GELU (Keras Hub's, 'gelu_pytorch_tanh') is expected" in said.sentence
    assert 1e-5 < said.error_before < 4.74e-4
    last = next(stage for stage in report.stages if stage.stage == "sequence_output")
    measured(
        f"Keras Hub and transformers: {said.sentence} At the end: {last.difference.max_abs:.1e}"
    )


def test_text_embeddings_inference_749(right, theirs, serve):
    """https://github.com/huggingface/text-embeddings-inference/issues/749, /pull/753

    The server has one GELU for all names of it. Only its vectors are seen.
    """
    for layer in theirs[0].auto_model.encoder.layer:
        layer.intermediate.intermediate_act_fn = torch.nn.GELU(approximate="tanh")
    said = compare(right, serve(theirs), texts=TEXTS).diagnosis
    assert said.cause == "gelu_tanh", said
    assert "layers whose activation is the tanh GELU" in said.sentence


def test_fastembed_368(directory, theirs, serve):
    """https://github.com/qdrant/fastembed/issues/368: [CLS], normalized; not the mean as it is."""
    plain = written(directory.with_name("plain"), normalize=False)
    b = serve(with_modules(theirs[0], Pooling(20, pooling_mode="cls"), Normalize()))
    said = compare(open_source(str(plain)), b, texts=TEXTS).diagnosis
    assert said.cause == "pooling", said
    assert "cls pooling, where mean pooling is a's" in said.sentence
    assert len(said.also) == 1
    assert "normalized to length 1" in said.also[0]


def test_fastembed_703(right, theirs):
    """https://github.com/qdrant/fastembed/issues/703: what tokenizer.json has baked in is used."""
    theirs.max_seq_length = tiny_model.BAKED
    said = compare(right, SentenceTransformersSource(theirs), texts=TEXTS).diagnosis
    assert (said.cause, said.stage) == ("max_length", "text.tokens"), said
    assert f"cuts texts at {tiny_model.BAKED} tokens" in said.sentence


def test_ollama_7085(right, theirs, serve):
    """https://github.com/ollama/ollama/issues/7085: one endpoint normalizes, another does not."""
    b = serve(with_modules(*list(theirs)[:2]))
    said = compare(right, b, texts=TEXTS).diagnosis
    assert said.cause == "normalization", said
    assert "b's text.vector is not normalized" in said.sentence


def test_bert_cpp_1(right, theirs):
    """https://github.com/skeskinen/bert.cpp/issues/1 and 35: no handling of Chinese characters."""
    theirs.tokenizer.backend_tokenizer.normalizer = normalizers.BertNormalizer(
        lowercase=True, handle_chinese_chars=False
    )
    said = compare(right, SentenceTransformersSource(theirs), texts=TEXTS).diagnosis
    assert (said.cause, said.stage) == ("cjk", "text.tokens"), said


def test_fast_transformers_103(right, theirs, inputs):
    """https://github.com/idiap/fast-transformers/issues/103: PyTorch's own epsilon, 1e-5."""
    model = theirs[0].auto_model
    for module in model.modules():
        if isinstance(module, torch.nn.LayerNorm):
            module.eps = 1e-5
    said = compare(right, TorchSource(model), inputs=inputs).diagnosis
    assert (said.cause, said.stage) == ("layer_norm_epsilon", "embeddings.layer_norm"), said
    assert "adds 1e-05 to the variance, where 1e-12 is expected" in said.sentence


def test_pytorch_52667(right, theirs, inputs):
    """https://github.com/pytorch/pytorch/issues/52667: inputs given by place, in another order."""
    b = TorchSource(theirs[0].auto_model)
    run = b.run
    b.run = lambda x: run({**x, "segment_ids": x["padding_mask"], "padding_mask": x["segment_ids"]})
    said = compare(right, b, inputs=inputs).diagnosis
    assert (said.cause, said.stage) == ("inputs_exchanged", "embeddings.segment"), said


def test_ollama_13942(right, theirs, serve):
    """https://github.com/ollama/ollama/issues/13942: upper case is not in the vocabulary."""
    tokenizer = theirs.tokenizer.backend_tokenizer
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=False)
    said = compare(right, serve(theirs), texts=TEXTS).diagnosis
    assert said.cause == "lower_case", said
    assert "b does not lower-case texts, and a does" in said.sentence


def test_indic_bert_20(right, theirs, inputs):
    """https://github.com/AI4Bharat/IndicBERT/issues/20: the mask is not passed on."""
    b = TorchSource(copy.deepcopy(theirs[0].auto_model))
    for layer in b.model.encoder.layer:
        attend = layer.attention.self.forward
        layer.attention.self.forward = lambda x, attention_mask=None, f=attend, **more: f(x, **more)
    said = compare(right, b, inputs=inputs).diagnosis
    assert (said.cause, said.stage) == ("mask_missing", "layer.0.probs"), said
    assert "in every layer" in said.sentence
