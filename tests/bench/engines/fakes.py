"""Stand-ins for the peers' libraries, which are not installed where these tests run."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from npbert.bench import works
from npbert.bench.engines.base import Setup


class Noted:
    """Takes any call, and keeps it: (name, arguments, keywords); returns what it is told to."""

    def __init__(self, returns: Any = None) -> None:
        self.calls: list[tuple[tuple[Any, ...], dict[str, Any]]] = []
        self.returns = returns

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        self.calls.append((arguments, keywords))
        return self.returns


def library(name: str, **names: Any) -> ModuleType:
    """A module of this name that has nothing but these."""
    module = ModuleType(name)
    module.__dict__.update(names)
    return module


def engine_module(monkeypatch: Any, name: str, *libraries: ModuleType) -> Any:
    """``npbert.bench.engines.NAME`` over stand-ins; gone again after the test."""
    for each in libraries:
        monkeypatch.setitem(sys.modules, each.__name__, each)
    path = f"npbert.bench.engines.{name}"
    monkeypatch.setitem(sys.modules, path, None)  # so that the one made here does not stay
    del sys.modules[path]
    return importlib.import_module(path)


def setup(scratch: Path, threads: int = 3, activation: str | None = None) -> Setup:
    """What an engine is told to load."""
    return Setup(scratch / "model", threads, activation, scratch)


def batch() -> works.Batch:
    """Two texts, of 2 and 4 tokens."""
    return works.one_batch([np.array([7, 8], np.int32), np.array([1, 2, 3, 4], np.int32)])[0]


def hidden(ids: Any, width: int = 5) -> Any:
    """(B, T) -> (B, T, width): hidden states that show their ids."""
    return np.repeat(np.asarray(ids, np.float32)[:, :, None], width, axis=2)
