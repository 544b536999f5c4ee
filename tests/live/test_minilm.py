"""all-MiniLM-L6-v2 on texts that no golden has, beside Hugging Face, Keras Hub, ONNX Runtime."""

from __future__ import annotations

import numpy as np
import pytest
import tolerances
from live import minilm
from live.peers import KERAS, load

import npbert

pytestmark = pytest.mark.live

VECTORS = 2e-6


@pytest.fixture(scope="module")
def embedder():
    return npbert.Embedder("all-MiniLM-L6-v2")


def encode(embedder):
    with pytest.warns(UserWarning, match=f"cut 2 of {len(minilm.TEXTS)} texts after 256 tokens"):
        return embedder.encode(minilm.TEXTS)


def test_the_texts_reach_past_the_limit():
    assert len(minilm.TEXTS) >= 24
    lengths = minilm.tokens_of(minilm.TEXTS)["padding_mask"].sum(axis=1)
    assert lengths.min() == 2
    assert (lengths == minilm.MAX_TOKENS).sum() == 2


def test_token_ids(peers, seed):
    theirs = peers.arrays("torch", "tokens")
    texts = [*minilm.TEXTS, *minilm.random_texts(seed)]
    ours = minilm.tokens_of(texts)
    for name in ("token_ids", "padding_mask"):
        wrong = np.flatnonzero((ours[name] != theirs[name]).any(axis=1))
        assert not wrong.size, [texts[i] for i in wrong]


def test_sentence_vectors_of_hugging_face(peers, embedder, measured):
    theirs, ours = peers.arrays("torch", "minilm"), encode(embedder)
    error = np.abs(ours - theirs["float32.vectors"]).max()
    exact = np.abs(ours - theirs["float64.vectors"]).max()
    measured(f"all-MiniLM: {error:.1e} from PyTorch in float32, {exact:.1e} from it in float64")
    assert error <= VECTORS


@pytest.mark.parametrize("backend", KERAS)
def test_sentence_vectors_of_keras_hub(peers, backend, measured):
    theirs = peers.arrays(backend, "minilm")["vectors"]
    ours = encode(npbert.Embedder("all-MiniLM-L6-v2", activation="gelu_approximate"))
    error = np.abs(ours - theirs).max()
    measured(f"all-MiniLM with gelu_approximate: {error:.1e} from Keras Hub on {backend}")
    assert error <= VECTORS


def test_hidden_states_beside_onnx_runtime(peers, embedder, measured):
    theirs = peers.arrays("torch", "minilm")
    inputs = load(peers.work, "minilm@inputs")
    kept = inputs["padding_mask"] != 0
    exact = theirs["float64.hidden"][kept]

    def error(hidden):
        off = np.abs(hidden[kept] - exact)
        return off.max(), np.sqrt(np.square(off).mean())

    errors = {
        "npbert": error(embedder.backbone(inputs)["sequence_output"]),
        "ONNX Runtime": error(theirs["onnx.hidden"]),
        "PyTorch": error(theirs["float32.hidden"]),
    }
    for name, (largest, rms) in errors.items():
        measured(f"all-MiniLM, hidden states, {name}: largest {largest:.2e}, RMS {rms:.2e}")
    assert errors["npbert"][0] <= tolerances.ACCURACY_LARGEST * errors["ONNX Runtime"][0]
