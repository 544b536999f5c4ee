"""Stages found by what is in them."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.parity.sources.automap import Mapped, auto_map
from npbert.parity.sources.base import Base

B, T, N, H, D = 2, 7, 4, 5, 20
INPUTS = {"token_ids": np.ones((B, T), np.int32)}


@pytest.fixture
def stages():
    random = np.random.default_rng(5)
    shapes = {
        "layer.0.query": (B, T, N, H),
        "layer.0.key": (B, T, N, H),
        "layer.0.probs": (B, N, T, T),
        "layer.0.attention_output": (B, T, D),
        "layer.0.output": (B, T, D),
        "pooled_output": (B, D),
    }
    return {name: np.float32(random.standard_normal(shape)) for name, shape in shapes.items()}


def test_axes_in_another_order_joined_and_split(stages):
    arrays = {
        "q": stages["layer.0.query"].transpose(0, 2, 1, 3),  # (B, N, T, H)
        "k": stages["layer.0.key"].reshape(B, T, D),
        "p": stages["layer.0.probs"].reshape(B * N, T, T),
        "a": stages["layer.0.attention_output"].transpose(1, 0, 2)[:, :, None],  # (T, B, 1, D)
        "o": stages["layer.0.output"].reshape(B * T, D),
        "c": stages["pooled_output"].T,
    }
    found = auto_map(arrays, stages)
    assert [found[name].stage for name in arrays] == list(stages)
    for name, match in found.items():
        np.testing.assert_array_equal(match.of(arrays[name]), stages[match.stage])
        assert match.correlation == pytest.approx(1)
        assert match.second < 0.5


def test_a_mistake_does_not_hide_a_stage(stages):
    wrong = stages["layer.0.query"] * 1.3 + 0.2 * stages["layer.0.key"]
    match = auto_map({"q": wrong}, stages)["q"]
    assert match.stage == "layer.0.query"
    assert 0.9 < match.correlation < 0.999


def test_of_two_that_fit_the_nearer_and_no_stage_twice(stages):
    query = stages["layer.0.query"]
    found = auto_map({"scaled": query / np.sqrt(H), "query": query, "again": query}, stages)
    assert {name: match.stage for name, match in found.items()} == {"query": "layer.0.query"}


def test_what_resembles_nothing(stages):
    random = np.random.default_rng(6)
    arrays = {
        "noise": random.standard_normal((B, T, D)),
        "constant": np.ones((B, D)),
        "nan": np.full((B, D), np.nan),
        "ids": np.arange(3),
        "scalar": np.float32(1),
        "deep": stages["pooled_output"].reshape(B, 1, 1, 1, 1, D),
    }
    assert auto_map(arrays, stages) == {}


class Given(Base):
    """A source that shows what it is told to."""

    def __init__(self, stages, unnamed):
        super().__init__("given")
        self.notes.append("a note of its own")
        self._stages, self._unnamed = stages, unnamed

    def run(self, inputs):
        return self._stages

    def unnamed(self, inputs):
        return self._unnamed


def test_as_a_source(stages):
    query, pooled = stages["layer.0.query"], stages["pooled_output"]
    source = Given({"pooled_output": pooled}, {"x0": query.swapaxes(1, 2), "x1": pooled + 0})
    mapped = Mapped(source, Given(stages, {}))
    found = mapped.run(INPUTS)
    assert list(found) == ["pooled_output", "layer.0.query"]
    np.testing.assert_array_equal(found["layer.0.query"], query)
    assert mapped.notes[0] == "a note of its own"
    assert "x0 is taken for layer.0.query: correlation 1.000000" in mapped.notes[1]
    assert mapped.notes[2] == "resembles no stage: x1"
    assert mapped.run(INPUTS).keys() == found.keys()
    assert len(mapped.notes) == 3  # of the last run
    assert mapped.name == "given"
    assert mapped.weights() is mapped.tokenize(["a"]) is mapped.encode(["a"]) is None
