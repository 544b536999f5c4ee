"""``trust=False``: the same arrays, warnings and errors, from a process that is not believed."""

from __future__ import annotations

import dataclasses
import warnings
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest

from npbert.errors import ModelFileError, NpbertError, WeightError
from npbert.weights import h5_process, untrusted, weight_shapes
from npbert.weights.heads import load_keras
from npbert.weights.load_file import load_file, load_matching
from npbert.weights.names import Tensor

from . import test_heads as heads
from . import test_int8 as int8
from . import test_keras_h5 as keras_h5
from . import test_legacy_h5 as legacy
from . import test_load_file as kinds
from .model_files import CONFIG, PRESETS, assert_same, golden, random_arrays, shard_h5, write_h5

ARRAYS = random_arrays()

Write = Callable[[Path], Path]


# -- the same as in this process -------------------------------------------------------------------


def cast(dtype: str) -> Write:
    return lambda folder: write_h5(
        folder / "a.weights.h5", {name: array.astype(dtype) for name, array in ARRAYS.items()}
    )


def compressed(folder: Path) -> Path:
    path = write_h5(folder / "a.weights.h5", ARRAYS)
    with h5py.File(path, "a") as file:
        del file[keras_h5.QUERY_H5]
        options = {"compression": "gzip", "shuffle": True, "fletcher32": True}
        file.create_dataset(keras_h5.QUERY_H5, data=ARRAYS[keras_h5.QUERY], **options)
    return path


def packed(folder: Path) -> Path:
    """An archive that is compressed."""
    path = kinds.one(folder)
    with zipfile.ZipFile(folder / "a.keras", "w", zipfile.ZIP_DEFLATED) as zipped:
        zipped.write(path, "model.weights.h5")
    return folder / "a.keras"


def numbered(folder: Path) -> Path:
    path = legacy.write(folder / "a.h5", ARRAYS, suffix=":0")
    legacy._renamed(path, "transformer_layer_1", legacy.NUMBERED)
    return path


FORMATS: dict[str, Write] = {
    "h5": kinds.one,
    "shards": kinds.several,
    "archive": kinds.archive,
    "compressed archive": packed,
    "task": kinds.task,
    "bfloat16": kinds.narrow,
    "float16": cast("<f2"),
    "float64": cast(">f8"),
    "compressed": compressed,
    "legacy": lambda folder: legacy.write(folder / "a.h5", ARRAYS, cut=3),
    "legacy model": lambda folder: legacy.write(folder / "a.h5", ARRAYS, root="/model_weights"),
    "legacy, numbered": numbered,
    "int8": lambda folder: int8.write(folder / "a.weights.h5")[0],
    "int8 shards": lambda folder: shard_h5(
        int8.write(folder / "whole.h5")[0], folder / "a.weights.json", 5
    ),
}


@pytest.mark.parametrize("write", FORMATS.values(), ids=FORMATS)
def test_the_same_bits_and_warnings(tmp_path: Path, write: Write):
    path = write(tmp_path)
    results = []
    for trust in (True, False):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loaded = load_file(path, CONFIG, trust=trust)
        results.append((loaded, [(each.category, str(each.message)) for each in caught]))
    assert_same(results[1][0], results[0][0])
    assert list(results[1][0]) == list(weight_shapes(CONFIG))
    assert results[1][1] == results[0][1]


def test_int8_is_said_once(tmp_path: Path):
    with pytest.warns(UserWarning, match=int8.WARNING) as caught:
        load_file(FORMATS["int8"](tmp_path), CONFIG, trust=False)
    assert len(caught) == 1


@pytest.mark.parametrize("name", ["keras_tiny", "keras_tiny_dropout_zero"])
def test_what_keras_hub_wrote(name: str):
    config, weights = golden(name)
    assert_same(load_file(PRESETS / name / "model.weights.h5", config, trust=False), weights)


@pytest.mark.parametrize("write", [kinds.one, kinds.several, kinds.task])
def test_layers_left_out(tmp_path: Path, write: Write):
    config = dataclasses.replace(CONFIG, num_layers=1)
    loaded = load_file(write(tmp_path), config, leave_out_layers=True, trust=False)
    assert_same(loaded, {name: ARRAYS[name] for name in weight_shapes(config)})


@pytest.mark.parametrize("write", [kinds.one, kinds.several, kinds.archive, numbered])
def test_what_fits(tmp_path: Path, write: Write):
    path, config = write(tmp_path), dataclasses.replace(CONFIG, vocabulary_size=13, num_layers=3)
    here = load_matching(path, config)
    loaded, skipped = load_matching(path, config, trust=False)
    assert skipped == here[1]
    assert len(skipped) == 17
    assert_same(loaded, here[0])


def test_from_where_one_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    for name, scale in (("a", 1), ("b", 2)):
        (tmp_path / name).mkdir()
        write_h5(tmp_path / name / "x.h5", {key: array * scale for key, array in ARRAYS.items()})
        monkeypatch.chdir(tmp_path / name)
        loaded = load_file(Path("x.h5"), CONFIG, trust=False)
        assert_same(loaded, {key: array * scale for key, array in ARRAYS.items()})


@pytest.mark.parametrize("trust", ["False", "no", None, 0, 1, np.True_])
def test_whatever_is_not_true_is_distrust(tmp_path: Path, trust: object):
    h5_process.stop()
    assert_same(load_file(kinds.one(tmp_path), CONFIG, trust=trust), ARRAYS)  # type: ignore[arg-type]
    assert h5_process._child is not None


def truncated(folder: Path) -> Path:
    path = kinds.one(folder)
    path.write_bytes(path.read_bytes()[:-1_000])
    return path


def changed(change: Callable[[h5py.File], object]) -> Write:
    def write(folder: Path) -> Path:
        path = kinds.one(folder)
        with h5py.File(path, "a") as file:
            change(file)
        return path

    return write


def short(name: str, content: bytes) -> Write:
    def write(folder: Path) -> Path:
        (folder / name).write_bytes(content)
        return folder / name

    return write


def nothing_at(name: str) -> Write:
    return lambda folder: folder / name


def a_shard_less(folder: Path) -> Path:
    path = kinds.several(folder)
    next(folder.glob("*_00001.*")).unlink()
    return path


def _set(key: str, value: object) -> Write:
    return changed(lambda file: (file.pop(key, None), file.__setitem__(key, value)))


DENSE = "/layers/dense/vars"
BAD: dict[str, Write] = {
    "not there": nothing_at("a.weights.h5"),
    "no archive": nothing_at("a.keras"),
    "no index": nothing_at("a.weights.json"),
    "another ending": nothing_at("a.bin"),
    "empty": short("a.h5", b""),
    "a pickle": short("a.h5", b"\x80\x04K\x01."),
    "a page": short("a.weights.h5", b"<!DOCTYPE html><html>"),
    "no zip": short("a.keras", b"PK\x03\x04" + bytes(300)),
    "no JSON": short("a.weights.json", b'{"weight_map": {'),
    "a shard less": a_shard_less,
    "truncated": truncated,
    "missing": changed(lambda file: file.__delitem__(f"{DENSE}/1")),
    "extra": _set("/layers/dense_1/vars/0", np.ones(3, np.float32)),
    "shape": _set(f"{DENSE}/1", np.ones(13, np.float32)),
    "not finite": _set(f"{DENSE}/1", np.full(12, np.inf, np.float32)),
    "quantised": _set(f"{DENSE}/1", np.ones(12, np.int8)),
    "a link": _set(f"{DENSE}/1", h5py.ExternalLink("/etc/passwd", "/x")),
    "a name in other letters": _set("/layers/d\u00e9nse\u4e2d/vars/0", np.ones(3, np.float32)),
}


def outcome(load: Callable[..., object], path: Path, trust: bool) -> tuple[object, str]:
    """How it ended: the class and the text of an error."""
    try:
        load(path, CONFIG, trust=trust)
    except NpbertError as error:
        return type(error), str(error)
    return None, ""


@pytest.mark.parametrize("write", BAD.values(), ids=BAD)
def test_the_same_errors(tmp_path: Path, write: Write):
    path = write(tmp_path)
    for load in (load_file, load_matching):
        assert outcome(load, path, trust=False) == outcome(load, path, trust=True)
    assert outcome(load_file, path, trust=False)[0]


@pytest.mark.parametrize("table", [heads.CLASSIFIER, heads.MASKED_LM])
def test_a_tasks_head(tmp_path: Path, table: list[Tensor]):
    values = heads.arrays(table)
    path = heads.write_task(tmp_path / "task.weights.h5", table, values)
    assert_same(untrusted.read_head(path, table, CONFIG), values)
    with h5py.File(path, "a") as file:
        del file[table[0].h5]
    with pytest.raises(WeightError) as here:
        load_keras(path, table, CONFIG)
    with pytest.raises(WeightError) as there:
        untrusted.read_head(path, table, CONFIG)
    assert str(there.value) == str(here.value)


# -- one process -----------------------------------------------------------------------------------


def test_one_process_for_all_files_good_and_bad(tmp_path: Path):
    pids = set()
    for write in (kinds.one, truncated, kinds.archive, nothing_at("b.h5"), kinds.one):
        outcome(load_file, write(tmp_path), trust=False)
        with h5_process.child() as reader:
            pids.add(reader.process.pid)
    assert len(pids) == 1


def test_threads_at_once(tmp_path: Path):
    paths = [kinds.one(tmp_path), kinds.archive(tmp_path), truncated(tmp_path / "..")] * 8

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda path: outcome(load_file, path, trust=False)[0], paths))
    assert found == [None, None, ModelFileError] * 8
