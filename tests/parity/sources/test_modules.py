"""The table of Hugging Face's modules."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import GOLDEN

from npbert.config import BertConfig
from npbert.parity.bundle import load_bundle
from npbert.parity.graph import graph
from npbert.parity.sources.modules import Module, as_stage, attention_path, modules
from npbert.stages import canonical


def test_together_they_show_every_stage_that_a_module_shows():
    config = BertConfig(**load_bundle(GOLDEN / "hf_deep_erf").meta["config"])
    shown = [s for m in modules(config.num_layers) for s in (m.received, m.returned) if s]
    assert len(shown) == len(set(shown))
    hidden = {"scores", "probs", "sequence_output", "pooled_output"}
    assert set(shown) == {s for s in graph(config) if s.rpartition(".")[2] not in hidden}


def test_paths():
    assert all(canonical(module.path) == module.returned for module in modules(3))
    assert attention_path(3) == "encoder.layer.3.attention.self"
    assert Module("encoder.layer.1.output.dense", "layer.1.activation", "layer.1.output") in (
        modules(2)
    )
    assert modules(0)[-1] == Module(
        "embeddings.LayerNorm", "embeddings.sum", "embeddings.layer_norm"
    )


@pytest.mark.parametrize("name", ["query", "key", "value", "context"])
def test_heads_get_an_axis(name):
    value = np.arange(2 * 3 * 20).reshape(2, 3, 20)
    split = as_stage(f"layer.0.{name}", value, 2, 4)
    np.testing.assert_array_equal(split[1, 2, 3], value[1, 2, 15:])
    assert as_stage(f"layer.0.{name}", value, 2, None) is value
    assert as_stage(f"layer.0.{name}", value, 2, 3) is value


def test_positions_are_those_of_every_row():
    value = np.arange(3 * 5).reshape(1, 3, 5)
    assert as_stage("embeddings.position", value, 2, 5).shape == (2, 3, 5)
    assert as_stage("layer.0.attention_output", value, 2, 5) is value
