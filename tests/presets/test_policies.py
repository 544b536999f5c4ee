"""Which dtype policy a model gets from its files, and that its numbers keep their bits."""

from __future__ import annotations

import dataclasses
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from weights.model_files import CONFIG, assert_same, random_arrays
from weights.test_read_dtypes import Arrays, drawn

from npbert.config import set_dtype_policy
from npbert.dtype_policy import KERAS, DTypePolicy
from npbert.errors import ConfigError, WeightError
from npbert.presets import Preset, load_preset
from npbert.presets.savable import Model
from npbert.presets.save import save_archive, save_preset, save_weights
from npbert.presets.save_hugging_face import save_hugging_face
from npbert.weights.load_file import load_file

from .model_folders import PRESETS, change, copy

OURS = ("float16_from_float32", "bfloat16_from_float32")
SMALL = 3e-6
"""GiB: some 3,000 bytes."""


@pytest.fixture(autouse=True)
def nothing_set() -> Iterator[None]:
    yield
    set_dtype_policy(None)


def model(policy: str, arrays: Arrays | None = None) -> Model:
    of = DTypePolicy(policy)
    arrays = drawn(of.variable_dtype) if arrays is None else arrays
    return Model(CONFIG, arrays.items(), True, policy=of)


def weights(preset: Preset) -> Arrays:
    assert preset.weights is not None
    return preset.weights


def contents(path: Path) -> dict[str, bytes]:
    """What the files are, but for when they were written."""
    if path.is_dir():
        files = {each.name: each.read_bytes() for each in path.iterdir()}
    else:
        with zipfile.ZipFile(path) as zipped:
            files = {name: zipped.read(name) for name in zipped.namelist()}
    return {name: content for name, content in files.items() if name != "metadata.json"}


# -- saved, and loaded -----------------------------------------------------------------------------

SAVED: dict[str, Callable[[Path, Model], None]] = {
    "preset": save_preset,
    "preset in shards": lambda path, model: save_preset(path, model, max_shard_size=SMALL),
    "a.keras": save_archive,
    "hugging face": save_hugging_face,
}


@pytest.mark.parametrize("policy", [*KERAS, *OURS])
@pytest.mark.parametrize("name", SAVED)
def test_there_and_back_and_there_again(tmp_path: Path, name: str, policy: str):
    """A policy of Keras's is in its files; of the others the caller must say it."""
    first, second = tmp_path / name, tmp_path / f"again {name}"
    SAVED[name](first, model(policy))
    said = policy if name == "hugging face" or policy in OURS else None
    loaded = load_preset(first, dtype=said)
    assert loaded.policy == DTypePolicy(policy)
    dtype = loaded.policy.variable_dtype
    assert_same(weights(loaded), drawn(dtype), dtype)
    SAVED[name](second, model(policy, weights(loaded)))
    assert contents(second) == contents(first)


@pytest.mark.parametrize("policy", OURS)
@pytest.mark.parametrize("name", ["preset", "a.keras"])
def test_keras_is_told_float32_of_a_policy_that_it_does_not_have(
    tmp_path: Path, name: str, policy: str
):
    SAVED[name](tmp_path / name, model(policy))
    loaded = load_preset(tmp_path / name)
    assert (loaded.dtype, loaded.policy.name) == ("float32", "float32")
    assert_same(weights(loaded), drawn(DTypePolicy(policy).variable_dtype))


@pytest.mark.parametrize("policy", ["float64", "bfloat16", "mixed_float16"])
@pytest.mark.parametrize("save", [save_preset, save_archive])
def test_another_width_than_the_models_own(tmp_path: Path, save, policy: str):
    save(tmp_path / "a.keras", model(policy), dtype="float16")
    loaded = load_preset(tmp_path / "a.keras")
    assert (loaded.dtype, loaded.policy.name) == ("float16", "float16")
    assert_same(weights(loaded), drawn(DTypePolicy(policy).variable_dtype), "float16")


@pytest.mark.parametrize("policy", ["float64", "bfloat16", "mixed_float16"])
def test_weights_alone(tmp_path: Path, policy: str):
    dtype = DTypePolicy(policy).variable_dtype
    save_weights(tmp_path / "a.weights.h5", model(policy))
    save_weights(tmp_path / "b.weights.json", model(policy), max_shard_size=SMALL)
    for name in ("a.weights.h5", "b.weights.json"):
        assert_same(load_file(tmp_path / name, CONFIG, dtype=dtype), drawn(dtype), dtype)


# -- which policy ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["preset", "a.keras", "hugging face"])
def test_what_decides(tmp_path: Path, name: str):
    path = tmp_path / name
    SAVED[name](path, model("bfloat16"))
    own = "float32" if name == "hugging face" else "bfloat16"
    for load_weights in (True, False):

        def policy(dtype: object = None, load_weights: bool = load_weights) -> str:
            return load_preset(path, load_weights=load_weights, dtype=dtype).policy.name

        assert policy() == own
        assert policy(np.float64) == "float64"
        set_dtype_policy("mixed_float16")
        assert policy() == "mixed_float16"
        assert policy("bfloat16_from_float32") == "bfloat16_from_float32"
        set_dtype_policy("float32")
        assert policy() == "float32"
        set_dtype_policy(None)
    assert load_preset(path).dtype == "bfloat16"


def test_a_built_in_has_no_files_to_say_it():
    def policy(dtype: object = None) -> str:
        return load_preset("bert_tiny_en_uncased", load_weights=False, dtype=dtype).policy.name

    assert policy() == "float32"
    assert policy("float16") == "float16"
    set_dtype_policy("bfloat16")
    assert policy() == "bfloat16"


def test_int8_is_no_policy_of_floats(tmp_path: Path):
    folder = change(copy("keras_tiny", tmp_path), {"dtype": "int8_from_bfloat16"})
    loaded = load_preset(folder)
    assert (loaded.dtype, loaded.policy.name) == ("int8", "float32")
    assert load_preset(folder, dtype="bfloat16").policy.name == "bfloat16"


@pytest.mark.parametrize("dtype", ["float8", 0, {"class_name": "DTypePolicyMap", "config": {}}])
@pytest.mark.parametrize("source", [PRESETS / "none", "hf://org/none", "a.keras"])
def test_another_dtype_is_refused_before_anything_is_looked_for(source, dtype: object):
    with pytest.raises(ConfigError, match="dtype is not one that npbert has"):
        load_preset(source, dtype=dtype)


def test_a_number_that_the_dtype_cannot_hold(tmp_path: Path):
    arrays = random_arrays()
    arrays["pooled_dense/bias"][3] = 1e5
    save_preset(tmp_path, dataclasses.replace(model("float32"), weights=arrays.items()))
    with pytest.raises(WeightError, match=r"pooled_dense/bias' has values too large for float16"):
        load_preset(tmp_path, dtype="float16")
    assert load_preset(tmp_path, dtype="mixed_float16").weights is not None
