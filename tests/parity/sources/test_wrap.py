"""Models in memory as sources."""

from __future__ import annotations

import sys
from types import ModuleType

import goldens
import numpy as np
import pytest
from parity.sides import Side

from npbert.errors import ConfigError, InputTypeError
from npbert.parity.sources.of_npbert import NpbertSource
from npbert.parity.sources.of_python import PythonSource
from npbert.parity.sources.wrap import as_source


def test_sources_and_specs():
    side = Side()
    assert as_source(side) is side
    source = as_source(f"bundle:{goldens.GOLDEN / 'deep'}#tf32")
    assert source.kind == "bundle"
    with pytest.raises(ConfigError, match="unknown kind of source 'bundel'"):
        as_source("bundel:x")


def test_a_backbone():
    backbone = goldens.backbone("deep")
    source = as_source(backbone)
    assert isinstance(source, NpbertSource)
    assert source.backbone is backbone


def test_a_function():
    source = as_source(lambda ids, segments, mask: {"sequence_output": np.float32(ids)[..., None]})
    assert isinstance(source, PythonSource)
    shown = source.run(goldens.inputs("deep"))
    assert list(shown) == ["sequence_output"]


@pytest.mark.parametrize(
    ("library", "home", "kind"),
    [
        ("sentence_transformers", "of_sentence_transformers", "SentenceTransformersSource"),
        ("torch", "of_torch", "TorchSource"),
        ("keras", "of_keras", "KerasSource"),
    ],
)
def test_models_of_libraries(monkeypatch, library, home, kind):
    """By the module that their class, or one of its bases, is of."""
    base = type("Module", (), {"__module__": f"{library}.nn", "__call__": lambda self: None})
    model = type("Mine", (base,), {"__module__": "mine"})()
    made = ModuleType(home)
    setattr(made, kind, lambda given: (kind, given))
    monkeypatch.setitem(sys.modules, f"npbert.parity.sources.{home}", made)
    assert as_source(model) == (kind, model)


def test_anything_else():
    with pytest.raises(InputTypeError, match=r"no model, and no source[^$]*received: int"):
        as_source(3)
