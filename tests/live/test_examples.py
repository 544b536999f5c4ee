"""Keras Hub's documentation, run with npbert in its place; and its errors, which are errors here."""

from __future__ import annotations

import json

import numpy as np
import pytest
from live import examples, mistakes
from live.peers import KERAS

import npbert as keras_hub
from npbert.errors import NpbertError

pytestmark = pytest.mark.live


def described(peers, backend):
    return json.loads((peers.wait(backend) / f"described@{backend}.json").read_text())


@pytest.mark.parametrize("backend", KERAS)
@pytest.mark.parametrize("which", ["documented", "more"])
def test_the_examples_of_the_documentation(peers, backend, which):
    theirs = described(peers, backend)
    stand_in = peers.work / f"stand_in@{backend}"
    ours = examples.run_code(keras_hub, theirs["codes"][which], stand_in)
    assert len(ours) >= 5
    assert ours == theirs["made"][which]


@pytest.mark.parametrize("backend", KERAS)
def test_configs_have_keras_order(peers, backend):
    theirs = [m["config"] for m in described(peers, backend)["made"]["more"] if "config" in m]
    model = keras_hub.models.BertBackbone.from_config(theirs[0])
    assert list(model.get_config()) == ["name", *theirs[0]]


def test_the_built_in_presets_are_keras_hubs(peers):
    theirs = described(peers, "jax")["presets"]
    ours = keras_hub.models.BertBackbone.presets
    assert len(ours) >= 10
    for name, preset in ours.items():
        assert preset["metadata"]["params"] == theirs[name], name


@pytest.mark.parametrize("name", list(mistakes.every()))
def test_what_keras_refuses_is_an_error(peers, name):
    stricter = {**mistakes.ACCEPTED_CONFIGS, **mistakes.ACCEPTED_INPUTS}
    for backend in KERAS:
        assert (described(peers, backend)["mistakes"][name] == "result") == (name in stricter)
    with pytest.raises(NpbertError):
        mistakes.every()[name](keras_hub)


def test_an_empty_batch(peers):
    model = keras_hub.models.BertBackbone(**mistakes.CONFIG)
    outputs = model(dict.fromkeys(("token_ids", "segment_ids", "padding_mask"), np.zeros((0, 7), int)))
    shapes = {name: list(array.shape) for name, array in outputs.items()}
    for backend in KERAS:
        assert described(peers, backend)["empty_batch"] == shapes
