"""Keras Hub's documentation with npbert in its place; and its errors, which are errors here."""

from __future__ import annotations

import json

import pytest
from live import examples, mistakes
from live.peers import KERAS

import npbert as keras_hub
from npbert.errors import NpbertError

pytestmark = pytest.mark.live


def described(peers, backend):
    return json.loads((peers.wait(backend) / f"described@{backend}.json").read_text())


@pytest.mark.parametrize("which", ["documented", "more"])
def test_the_examples_of_the_documentation(peers, which):
    theirs = described(peers, "tensorflow")
    ours = examples.run_code(keras_hub, theirs["codes"][which], peers.work / "stand_in")
    assert len(ours) >= 5
    assert ours == theirs["made"][which]


def test_get_config_has_keras_order(peers):
    theirs = described(peers, "tensorflow")["made"]["more"][0]["config"]
    model = keras_hub.models.BertBackbone.from_config(theirs)
    assert list(model.get_config()) == ["name", *theirs]


def test_the_built_in_presets_are_keras_hubs(peers):
    theirs = described(peers, "tensorflow")["presets"]
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


@pytest.mark.parametrize("backend", KERAS)
def test_an_empty_batch(peers, backend):
    assert mistakes.empty_batch(keras_hub) == described(peers, backend)["empty_batch"]
