"""Preset directories, weights files and archives, written whole or not at all."""

from __future__ import annotations

import dataclasses
import datetime
import json
import signal
import sys
from pathlib import Path

import pytest
from weights.model_files import CONFIG, PRESETS, assert_same, golden, random_arrays

from npbert.errors import ConfigError, WeightError
from npbert.presets import load_preset
from npbert.presets.archive import load_archive
from npbert.presets.savable import Model
from npbert.presets.save import save_archive, save_preset, save_weights
from npbert.weights import keras_h5
from npbert.weights.dtypes import ITEM_BYTES
from npbert.weights.names import tensors

ARRAYS = random_arrays()
ERF = dataclasses.replace(CONFIG, activation="gelu", layer_norm_epsilon=1e-5)
SMALL = 2e-6
"""GiB: some 2,000 bytes."""


def model(config=CONFIG, arrays=ARRAYS, pooler=True) -> Model:
    pairs = ((t.name, arrays[t.name]) for t in tensors(config, pooler=pooler))
    return Model(config, pairs, pooler)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("dtype", ITEM_BYTES)
@pytest.mark.parametrize("max_shard_size", [10, SMALL, None])
def test_there_and_back(tmp_path: Path, dtype: str, max_shard_size: float | None):
    save_preset(tmp_path / "a", model(), dtype=dtype, max_shard_size=max_shard_size)
    loaded = load_preset(tmp_path / "a")
    assert loaded.config == CONFIG
    assert loaded.dtype == loaded.policy.name == dtype
    assert loaded.weights is not None
    assert_same(loaded.weights, ARRAYS, dtype)
    assert ("model.weights.json" in names(tmp_path / "a")) == (max_shard_size == SMALL)


def test_the_files_are_those_of_keras(tmp_path: Path):
    config, weights = golden("keras_tiny")
    pairs = [(t.name, weights[t.name]) for t in tensors(config)]
    save_preset(tmp_path / "a", Model(config, pairs, True, "bert_backbone_10"))
    theirs = PRESETS / "keras_tiny"
    assert names(tmp_path / "a") == names(theirs)
    assert (tmp_path / "a/config.json").read_bytes() == (theirs / "config.json").read_bytes()
    ours, keras = (json.loads((f / "metadata.json").read_text()) for f in (tmp_path / "a", theirs))
    datetime.datetime.strptime(ours.pop("date_saved"), "%Y-%m-%d@%H:%M:%S")
    keras.pop("date_saved")
    assert ours == {**keras, "written_by": "npbert"}


# -- over what is there ----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [10, SMALL])
@pytest.mark.parametrize("second", [10, SMALL])
def test_nothing_of_the_old_model_is_left(tmp_path: Path, first: float, second: float):
    (tmp_path / "notes.txt").write_text("kept")
    (tmp_path / "model_99999.weights.h5").write_text("kept: no index names it")
    save_preset(tmp_path, model(arrays=random_arrays(seed=3)), max_shard_size=first)
    save_preset(tmp_path, model(), max_shard_size=second)
    loaded = load_preset(tmp_path).weights
    assert loaded is not None
    assert_same(loaded, ARRAYS)
    clean = tmp_path / "clean"
    save_preset(clean, model(), max_shard_size=second)
    assert set(names(tmp_path)) - {"clean"} == {
        "notes.txt",
        "model_99999.weights.h5",
        *names(clean),
    }


def test_an_old_preset_stays_whole_until_the_new_one_is(tmp_path: Path):
    save_preset(tmp_path, model(), max_shard_size=SMALL)
    before = contents(tmp_path)

    def failing():
        for i, pair in enumerate(ARRAYS.items()):
            assert {n: c for n, c in contents(tmp_path).items() if n[0] != "."} == before
            if i == 20:
                raise KeyboardInterrupt
            yield pair

    for size in (SMALL, 10):
        with pytest.raises(KeyboardInterrupt):
            save_preset(tmp_path, Model(CONFIG, failing(), True), max_shard_size=size)
        assert contents(tmp_path) == before


def test_a_new_directory_is_unmade(tmp_path: Path):
    huge = ARRAYS | {"pooled_dense/bias": ARRAYS["pooled_dense/bias"] + 1e6}
    with pytest.raises(WeightError, match="too large for float16"):
        save_preset(tmp_path / "a" / "b", model(arrays=huge), dtype="float16")
    assert names(tmp_path) == []


@pytest.mark.skipif(sys.platform == "win32", reason="resource limits")
@pytest.mark.parametrize(
    ("save", "name"),
    [(save_preset, ""), (save_archive, "a.keras"), (save_weights, "model.weights.h5")],
)
def test_no_room(tmp_path: Path, save, name: str):
    """A limit on the size of files, at which writing fails as on a full disk."""
    import resource

    save_preset(tmp_path, model())
    save_archive(tmp_path / "a.keras", model())
    before = contents(tmp_path)
    old, action = resource.getrlimit(resource.RLIMIT_FSIZE), signal.getsignal(signal.SIGXFSZ)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, old[1]))
    try:
        with pytest.raises(ConfigError, match="what was there before is as it was"):
            save(tmp_path / name, model())
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, action)
    assert contents(tmp_path) == before


def test_a_directory_that_is_a_file(tmp_path: Path):
    (tmp_path / "a").write_text("")
    with pytest.raises(ConfigError, match="this is not a directory"):
        save_preset(tmp_path / "a", model())


def test_a_weights_file_that_is_a_directory(tmp_path: Path):
    (tmp_path / "model.weights.h5").mkdir()
    with pytest.raises(ConfigError, match="no file can be written here"):
        save_preset(tmp_path, model())
    assert names(tmp_path) == ["model.weights.h5"]


def test_assets(tmp_path: Path):
    save_preset(tmp_path, model(), assets={"assets/tokenizer/vocabulary.txt": b"[PAD]\n"})
    assert (tmp_path / "assets/tokenizer/vocabulary.txt").read_bytes() == b"[PAD]\n"


# -- what Keras's format cannot hold ---------------------------------------------------------------


@pytest.mark.parametrize("save", [save_preset, save_archive])
def test_a_model_that_keras_would_compute_otherwise(tmp_path: Path, save):
    path = tmp_path / "a.keras"
    with pytest.raises(ConfigError, match=r"cannot hold activation 'gelu', layer_norm_ep") as error:
        save(path, model(ERF))
    assert error.value.expected == "activation 'gelu_approximate', layer_norm_epsilon 1e-12"
    assert names(tmp_path) == []
    with pytest.warns(UserWarning, match="does not say activation 'gelu', layer_norm") as caught:
        save(path, model(ERF), allow_lossy=True)
    assert len(caught) == 1
    loaded = load_preset(path)
    assert loaded.config == CONFIG
    if save is save_preset:
        metadata = json.loads((path / "metadata.json").read_text())
        assert metadata["lost"] == {"activation": "gelu", "layer_norm_epsilon": 1e-5}


@pytest.mark.parametrize(
    ("save", "name"),
    [(save_preset, "a"), (save_archive, "a.keras"), (save_weights, "a.weights.h5")],
)
def test_no_pooler(tmp_path: Path, save, name: str):
    with pytest.raises(ConfigError, match="has no pooler, and Keras's format needs one"):
        save(tmp_path / name, model(pooler=False))
    assert names(tmp_path) == []


# -- weights files and archives --------------------------------------------------------------------


def test_weights_files(tmp_path: Path):
    save_weights(tmp_path / "a.weights.h5", model(), dtype="bfloat16")
    assert_same(keras_h5.load(tmp_path / "a.weights.h5", CONFIG), ARRAYS)
    save_weights(tmp_path / "b.weights.json", model(), max_shard_size=SMALL)
    assert_same(keras_h5.load(tmp_path / "b.weights.json", CONFIG), ARRAYS)
    assert {"b.weights.json", "b_00000.weights.h5", "b_00001.weights.h5"} < set(names(tmp_path))


@pytest.mark.parametrize(
    ("name", "size", "ending"),
    [
        ("a.h5", None, ".weights.h5"),
        ("a.weights.json", None, ".weights.h5"),
        ("a.weights.h5", 1.0, ".weights.json"),
    ],
)
def test_endings_of_weights_files(tmp_path: Path, name: str, size: float | None, ending: str):
    with pytest.raises(ConfigError, match=f"the filename must end in `{ending}`"):
        save_weights(tmp_path / name, model(), max_shard_size=size)


def test_the_ending_of_archives(tmp_path: Path):
    with pytest.raises(ConfigError, match=r"the filename must end in `\.keras`"):
        save_archive(tmp_path / "a.zip", model())


@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_archives(tmp_path: Path, dtype: str):
    save_archive(tmp_path / "a.keras", model(), dtype=dtype)
    loaded = load_archive(tmp_path / "a.keras")
    assert (loaded.config, loaded.dtype, loaded.policy.name) == (CONFIG, dtype, dtype)
    assert loaded.weights is not None
    assert_same(loaded.weights, ARRAYS, dtype)
    assert names(tmp_path) == ["a.keras"]
