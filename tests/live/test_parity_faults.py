"""Faults planted in transformers' BertModel, one at a time, and what is said of them."""

from __future__ import annotations

import copy
import warnings

import numpy as np
import pytest

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import torch
    import transformers

from live.torch_faults import KNOWN, UNKNOWN
from live.torch_plants import D, N, V

from npbert import BertBackbone
from npbert.parity.compare import compare
from npbert.parity.sources.of_npbert import NpbertSource
from npbert.parity.sources.of_torch import TorchSource

pytestmark = pytest.mark.live

LAYERS = 5
SIZES = {
    "vocab_size": V,
    "num_hidden_layers": LAYERS,
    "num_attention_heads": N,
    "hidden_size": D,
    "intermediate_size": 37,
    "max_position_embeddings": 15,
    "type_vocab_size": 3,
}


@pytest.fixture(scope="module")
def healthy(seed):
    """A random BertModel whose biases and norms are no zeros and ones."""
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    config = transformers.BertConfig(**SIZES, attn_implementation="eager")
    model = transformers.BertModel(config).eval()
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            spread = 0.2 if tensor.ndim > 1 else 0.3
            tensor.copy_(torch.randn_like(tensor) * spread + name.endswith("LayerNorm.weight"))
    return model


@pytest.fixture(scope="module")
def right(healthy):
    """The same model in npbert."""
    source = TorchSource(healthy, name="transformers")
    return NpbertSource(BertBackbone.from_weights(source.config, source.weights(), num_threads=1))


@pytest.fixture(scope="module")
def inputs(seed):
    """Two segments; padding on the right, on the left, and none."""
    random = np.random.default_rng(seed)
    places = np.arange(9) + np.zeros((3, 1), int)
    mask = np.stack([places[0] >= 0, places[1] < 7, places[2] >= 5])
    arrays = {
        "token_ids": random.integers(1, V, mask.shape) * mask,
        "segment_ids": (places >= np.array([[4], [3], [7]])) * mask,
        "padding_mask": mask,
    }
    return {name: array.astype(np.int32) for name, array in arrays.items()}


@pytest.fixture(scope="module")
def drawn(seed):
    """Three layers; the last one is what another may be exchanged with."""
    return np.random.default_rng(seed).choice(LAYERS - 1, 3, replace=False).tolist()


def diagnosed(healthy, right, inputs, *plants):
    model = copy.deepcopy(healthy)
    for fault, i in plants:
        fault.plant(model, i)
    report = compare(right, TorchSource(model, name="faulty"), inputs=inputs)
    assert report.verdict == "differ"
    return report.diagnosis


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_fault_is_named(healthy, right, inputs, drawn, name):
    fault = KNOWN[name]
    for i in drawn if "{i}" in fault.stage else drawn[:1]:
        said = diagnosed(healthy, right, inputs, (fault, i))
        assert (said.cause, said.stage) == (fault.cause, fault.stage.format(i=i)), said
        assert said.side == "b"
        assert said.fix
        assert said.error_after < said.error_before / 5
        assert said.also == ()


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_fault_is_not_named(healthy, right, inputs, drawn, name):
    fault = UNKNOWN[name]
    for i in drawn:
        said = diagnosed(healthy, right, inputs, (fault, i))
        assert said.cause is None, said
        expected = f"Cause unknown, first stage {fault.stage.format(i=i)}"
        assert said.sentence.startswith(expected), said


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("tanh GELU", "query transposed"),
        ("no mask", "gamma and beta swapped"),
        ("value without bias", "no scale"),
    ],
)
def test_two_faults_at_once(healthy, right, inputs, drawn, first, second):
    i, j = sorted(drawn)[:2]
    faults = (KNOWN[first], i), (KNOWN[second], j)
    said = diagnosed(healthy, right, inputs, *faults)
    assert (said.cause, said.stage) == (faults[0][0].cause, faults[0][0].stage.format(i=i)), said
    assert len(said.also) == 1, said
    assert faults[1][0].stage.format(i=j) in said.also[0]


def test_a_healthy_pair_agrees(healthy, right, inputs, measured):
    report = compare(right, TorchSource(healthy), inputs=inputs)
    assert (report.verdict, report.diagnosis) == ("agree", None)
    measured(f"npbert and PyTorch: {report.smallest_scale:.2f} of what rounding lets pass")
