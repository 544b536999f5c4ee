"""Sources over the real libraries: every stage that they show is the goldens', or npbert's."""

from __future__ import annotations

import os

import numpy as np
import pytest
from goldens import GOLDEN
from live import tiny_directory
from live.exporters import export, imported
from tasks.task_models import lively
from text.tiny_model import CONFIG

from npbert import BertBackbone
from npbert.errors import InputError, ModelFileError, UnsafeModelError
from npbert.parity.inputs import drawn
from npbert.parity.sources import open_source
from npbert.parity.sources.automap import Mapped
from npbert.parity.sources.of_npbert import NpbertSource
from npbert.reference import forward
from npbert.weights.names import tensors

pytestmark = [pytest.mark.live, pytest.mark.filterwarnings("ignore")]

TEXTS = ["The river runs", "a", "", "our house near the old stone bridge under the river", "Mill!"]
INPUTS = drawn(CONFIG.vocabulary_size, CONFIG.max_sequence_length).inputs
OUTSIDE = {**INPUTS, "token_ids": INPUTS["token_ids"] + CONFIG.vocabulary_size}
CLOSE = 2e-5


@pytest.fixture(scope="module")
def directory(tmp_path_factory):
    """A sentence-transformers directory that Keras Hub can read too."""
    path = tmp_path_factory.mktemp("sources") / "model"
    return tiny_directory.write(path, CONFIG, lively(tensors(CONFIG), 8))


@pytest.fixture(scope="module")
def npbert(directory):
    return open_source(str(directory))


@pytest.fixture(scope="module")
def stages(npbert):
    return npbert.run(INPUTS)


@pytest.fixture(scope="module")
def torch_source(directory):
    return open_source(f"torch:{directory}")


@pytest.fixture(scope="module")
def keras_source(directory):
    os.environ.update(CUDA_VISIBLE_DEVICES="-1")
    return open_source(f"keras:{directory}")


def assert_stages(found, wanted, tolerance=CLOSE, absent=()):
    """The same stages but for some, and the same numbers."""
    assert found.keys() == {s for s in wanted if s.rpartition(".")[2] not in absent}
    for name, array in found.items():
        assert array.shape == wanted[name].shape, name
        error = np.abs(np.float64(array) - np.float64(wanted[name])).max()
        assert error <= tolerance, (name, error)


def assert_weights(source, reference):
    ours, theirs = source.weights(), reference.weights()
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array, name)


# -- PyTorch ---------------------------------------------------------------------------------------


def test_torch(torch_source, npbert, stages):
    assert_stages(torch_source.run(INPUTS), stages)
    assert_weights(torch_source, npbert)
    assert torch_source.config == npbert.config
    assert torch_source.tokenize(TEXTS) == npbert.tokenize(TEXTS)
    assert torch_source.environment["attention"] == "eager"
    with pytest.raises(InputError, match=r"PyTorch cannot run[^$]*IndexError"):
        torch_source.run(OUTSIDE)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-12), ("bfloat16", 0.2)])
def test_torch_in_another_dtype(directory, npbert, dtype, tolerance):
    exact, made = {k: np.float64(w) for k, w in npbert.weights().items()}, {}
    forward(npbert.config, exact, **INPUTS, seen=made.__setitem__)
    found = open_source(f"torch:{directory}@{dtype}").run(INPUTS)
    assert {array.dtype.name for array in found.values()} == {dtype}
    assert_stages(found, made, tolerance)


@pytest.mark.parametrize("width", ["hf32", "hf64"])
def test_a_torch_module_in_memory(width):
    torch, transformers = imported("torch"), imported("transformers")
    from npbert.parity.sources.of_torch import TorchSource

    theirs = imported("golden.hugging_face")
    golden = open_source(f"bundle:{GOLDEN / 'hf_deep_erf'}#{width}")
    config = theirs.make_config(golden.config.to_dict(), golden.config.dropout)
    model = transformers.BertForMaskedLM(config)
    model.bert = transformers.BertModel(config)
    state = theirs.state_of(golden.weights(), golden.config.num_layers)
    model.bert.load_state_dict(state, strict=True)
    model.train().to(theirs.WIDTHS[width])
    source = TorchSource(model)
    found = source.run(golden.recorded)
    scores = {name for name in found if name.endswith(".scores")}
    assert len(scores) == golden.config.num_layers
    shown = {name: array for name, array in found.items() if name not in scores}
    assert_stages(shown, golden.run(golden.recorded), 1e-6)
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())
    assert torch.is_grad_enabled()
    if width == "hf32":
        assert_weights(source, golden)
    model.set_attn_implementation("sdpa")
    kept = golden.recorded["padding_mask"].any(axis=1)  # it has its own way where no key is kept
    fused = TorchSource(model, name="it")
    assert "it runs attention as 'sdpa', which hides its scores" in fused.notes
    shown = fused.run({name: array[kept] for name, array in golden.recorded.items()})
    wanted = {name: array[kept] for name, array in found.items()}
    assert_stages(shown, wanted, 1e-5, absent=("scores", "probs"))


def test_no_model_for_torch(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    for kind in ("torch", "st"):
        with pytest.raises(ModelFileError, match="transformers cannot load the model"):
            open_source(f"{kind}:{tmp_path}")


def test_sentence_transformers(directory, npbert, stages):
    source = open_source(f"st:{directory}")
    assert_stages(source.run(INPUTS), stages)
    assert_weights(source, npbert)
    assert source.tokenize(TEXTS) == npbert.tokenize(TEXTS)
    assert_stages(source.encode(TEXTS), npbert.encode(TEXTS), 1e-6)


# -- Keras -----------------------------------------------------------------------------------------


def test_keras(keras_source, directory, npbert):
    tanh = BertBackbone.from_preset(directory, activation="gelu_approximate")
    assert_stages(keras_source.run(INPUTS), NpbertSource(tanh).run(INPUTS))
    assert_weights(keras_source, npbert)
    assert keras_source.config == tanh.config
    ours, theirs = npbert.tokenize(TEXTS), keras_source.tokenize(TEXTS)
    assert (theirs.ids, theirs.tokens) == (ours.ids, ours.tokens)
    assert theirs.segment_ids == ours.segment_ids
    vectors = keras_source.encode(TEXTS)["text.vector"]
    np.testing.assert_allclose(vectors, npbert.encode(TEXTS)["text.vector"], atol=1e-3)


@pytest.mark.parametrize("name", ["deep", "dropout_zero"])
def test_a_keras_model_in_memory(keras_source, name):
    from npbert.parity.sources.of_keras import KerasSource

    golden = open_source(f"bundle:{GOLDEN / name}#tf32")
    keras = imported("golden.keras_side")
    model = keras.make_backbone(golden.config.to_dict(), golden.weights(), "float32")
    source = KerasSource(model)
    assert_stages(source.run(golden.recorded), golden.run(golden.recorded))
    assert_weights(source, golden)
    assert bool(source.notes) == (golden.config.dropout == 0)


def test_no_model_for_keras(keras_source, tmp_path):
    (tmp_path / "config.json").write_text("{}")
    with pytest.raises(ModelFileError, match="Keras Hub cannot load the model"):
        open_source(f"keras:{tmp_path}")


# -- ONNX ------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exported(directory, torch_source):
    path = directory / "onnx" / "model.onnx"
    path.parent.mkdir()
    export(torch_source.model, path, dynamo=False)
    return path


def test_onnx(exported, npbert, stages):
    source = open_source(f"onnx:{exported}")
    assert_stages(source.run(INPUTS), stages)
    assert_weights(source, npbert)
    assert source.config == npbert.config
    assert source.tokenize(TEXTS) == npbert.tokenize(TEXTS)
    assert source.encode(TEXTS) is None
    with pytest.raises(InputError, match="ONNX Runtime cannot run the model on these inputs"):
        source.run(OUTSIDE)


def test_onnx_of_the_newer_exporter(directory, torch_source, npbert, stages):
    path = directory / "dynamo.onnx"
    export(torch_source.model, path, dynamo=True)
    assert path.with_name("dynamo.onnx.data").exists()
    source = open_source(f"onnx:{path}")
    assert_stages(source.run(INPUTS), stages)
    assert_weights(source, npbert)


def test_onnx_without_names(exported, npbert, stages, tmp_path):
    onnx = imported("onnx")
    model = onnx.load(exported)
    kept = {value.name for value in (*model.graph.input, *model.graph.output)}
    numbers: dict[str, str] = {name: name for name in kept}
    for node in model.graph.node:
        node.name = ""
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                names[i] = numbers.setdefault(name, f"v{len(numbers)}") if name else ""
    for tensor in model.graph.initializer:
        tensor.name = numbers.setdefault(tensor.name, f"v{len(numbers)}")
    onnx.save(model, tmp_path / "model.onnx")
    source = open_source(f"onnx:{tmp_path / 'model.onnx'}")
    assert source.run(INPUTS).keys() == {"sequence_output", "pooled_output"}
    assert "names no value as exporters do" in source.notes[0]
    assert source.config is source.weights() is source.tokenize(TEXTS) is None
    mapped = Mapped(source, npbert).run(INPUTS)
    lost = stages.keys() - mapped.keys()
    assert {name.rpartition(".")[2] for name in lost} <= {"position", "output_layer_norm"}, lost
    assert_stages(mapped, {name: stages[name] for name in mapped})


def test_damaged_onnx(exported, tmp_path):
    onnx = imported("onnx")
    path = tmp_path / "model.onnx"
    path.write_bytes(exported.read_bytes()[:-1000])
    with pytest.raises(ModelFileError, match="ONNX Runtime cannot load the file"):
        open_source(f"onnx:{path}")
    model = onnx.load(exported)
    tensor = model.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.ClearField("raw_data")
    tensor.external_data.add(key="location", value="../secret.bin")
    path.write_bytes(model.SerializeToString())
    with pytest.raises(UnsafeModelError, match="outside the model's directory"):
        open_source(f"onnx:{path}")
