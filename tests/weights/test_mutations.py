"""Damaged files: the right tensors or an npbert error, whatever happens to the bytes.

safetensors checks its header, so damage there is always seen; damage to the data changes the values
and nothing else. HDF5 has no checksums on what Keras writes: what is promised there is a complete
set of finite arrays of the right shapes, or an error.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from npbert.config import BertConfig
from npbert.errors import NpbertError
from npbert.weights import Array, hugging_face, keras_h5, weight_shapes

from . import model_files
from . import test_int8 as int8
from . import test_legacy_h5 as legacy
from .model_files import CONFIG, random_arrays, safetensors_bytes, write_h5

SAFETENSORS = safetensors_bytes(model_files.hugging_face(random_arrays()))
HEADER_END = 8 + int.from_bytes(SAFETENSORS[:8], "little")
with tempfile.TemporaryDirectory() as made:
    H5 = write_h5(Path(made) / "good.h5", random_arrays()).read_bytes()
    LEGACY = legacy.write(Path(made) / "legacy.h5", random_arrays(), suffix=":0").read_bytes()
    INT8 = int8.write(Path(made) / "int8.h5")[0].read_bytes()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("mutations")


def _mutations(content: bytes, end: int) -> st.SearchStrategy[bytes]:
    """``content`` with one to three cuts, flips or copied pieces before ``end``."""
    at = st.integers(0, end - 1)
    flip = st.tuples(st.just("flip"), at, st.integers(1, 255))
    cut = st.tuples(st.just("cut"), at, st.integers(1, 64))
    truncate = st.tuples(st.just("truncate"), st.integers(0, len(content) - 1), st.just(0))
    splice = st.tuples(st.just("splice"), at, at)
    steps = st.lists(st.one_of(flip, cut, truncate, splice), min_size=1, max_size=3)
    return steps.map(lambda steps: _apply(content, steps))


def _apply(content: bytes, steps: list[tuple[str, int, int]]) -> bytes:
    for kind, a, b in steps:
        if kind == "flip":
            content = (
                content[:a] + bytes(byte ^ b for byte in content[a : a + 1]) + content[a + 1 :]
            )
        elif kind == "cut":
            content = content[:a] + content[a + b :]
        elif kind == "truncate":
            content = content[:a]
        else:
            content = content[:a] + content[b : b + 32] + content[a + 32 :]
    return content


def _outcome(
    load: Callable[[Path, BertConfig], dict[str, Array]], path: Path, content: bytes
) -> dict[str, Array] | NpbertError:
    path.write_bytes(content)
    try:
        return load(path, CONFIG)
    except NpbertError as error:
        return error


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(content=_mutations(SAFETENSORS, HEADER_END))
def test_safetensors_header(folder: Path, content: bytes):
    outcome = _outcome(hugging_face.load, folder / "model.safetensors", content)
    if isinstance(outcome, NpbertError):
        assert outcome.what
        assert outcome.fix
    else:
        model_files.assert_same(outcome, random_arrays())


@settings(max_examples=50, deadline=None)
@given(at=st.integers(HEADER_END, len(SAFETENSORS) - 1), bits=st.integers(1, 255))
def test_safetensors_data(folder: Path, at: int, bits: int):
    content = _apply(SAFETENSORS, [("flip", at, bits)])
    outcome = _outcome(hugging_face.load, folder / "model.safetensors", content)
    if isinstance(outcome, NpbertError):
        assert "not finite" in outcome.what
    else:
        before = random_arrays()
        changed = sum(int((outcome[name] != before[name]).sum()) for name in before)
        assert changed <= 1  # 0 and -0 are equal


# Always the same examples: the HDF5 library reads them with C code that a new one could crash.
@settings(max_examples=200, deadline=None, derandomize=True, database=None)
@given(content=_mutations(H5, len(H5)))
def test_h5(folder: Path, content: bytes):
    _check_h5(_outcome(keras_h5.load, folder / "model.weights.h5", content))


@settings(max_examples=100, deadline=None, derandomize=True, database=None)
@given(content=st.one_of(_mutations(LEGACY, len(LEGACY)), _mutations(INT8, len(INT8))))
@pytest.mark.filterwarnings("ignore:.*holds int8 weights")
def test_older_and_quantised_h5(folder: Path, content: bytes):
    _check_h5(_outcome(keras_h5.load, folder / "model.weights.h5", content))


def _check_h5(outcome: dict[str, Array] | NpbertError) -> None:
    if isinstance(outcome, NpbertError):
        assert outcome.what
        assert outcome.fix
    else:
        assert {name: array.shape for name, array in outcome.items()} == weight_shapes(CONFIG)
        assert all(np.isfinite(array).all() for array in outcome.values())


@pytest.fixture(scope="module")
def shards(folder: Path) -> dict[str, Path]:
    """The index of several files, in both libraries' format."""
    whole = write_h5(folder / "whole.h5", random_arrays())
    named = model_files.hugging_face(random_arrays())
    return {
        "keras": model_files.shard_h5(whole, folder / "model.weights.json", 4),
        "hugging_face": model_files.shard_safetensors(named, folder / "model.index.json", 4),
    }


@pytest.mark.parametrize("kind", ["keras", "hugging_face"])
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
def test_an_index(shards: dict[str, Path], kind: str, data: st.DataObject):
    path = shards[kind]
    content = path.read_bytes()
    load = keras_h5.load if kind == "keras" else hugging_face.load
    try:
        outcome = _outcome(load, path, data.draw(_mutations(content, len(content))))
    finally:
        path.write_bytes(content)
    if isinstance(outcome, NpbertError):
        assert outcome.what
        assert outcome.fix
    else:
        model_files.assert_same(outcome, random_arrays())
