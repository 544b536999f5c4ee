"""What can be saved, and where."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from weights.model_files import CONFIG, random_arrays

from npbert.dtype_policy import DTypePolicy
from npbert.errors import ConfigError
from npbert.presets import load_preset
from npbert.presets.savable import Model, check_ending, check_shard_size, saved_dtype, saved_policy
from npbert.presets.save import save_preset


def model(config=CONFIG) -> Model:
    return Model(config, random_arrays().items(), True)


def test_parameters():
    bare = dataclasses.replace(model(), pooler=False)
    assert model().parameters() == sum(a.size for a in random_arrays().values())
    assert model().parameters() - bare.parameters() == 12 * 12 + 12


def test_sizes_and_endings():
    assert check_shard_size(None) is None
    assert check_shard_size(0.5) == 2**29
    check_ending(Path("a.weights.h5"), ".weights.h5")
    with pytest.raises(ConfigError, match=r"the filename must end in `\.keras`"):
        check_ending(Path("a.keras/model"), ".keras")


def test_another_formats_directory_is_not_overwritten(tmp_path: Path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigError, match="holds a model in another format") as error:
        save_preset(tmp_path, model())
    assert error.value.expected == "a Keras preset, or a directory without config.json"
    (tmp_path / "config.json").write_text("damaged")
    save_preset(tmp_path, model())
    assert load_preset(tmp_path, load_weights=False).config == CONFIG


def test_one_difference_alone(tmp_path: Path):
    config = dataclasses.replace(CONFIG, layer_norm_epsilon=1e-7)
    with pytest.raises(ConfigError, match=r"Keras's format cannot hold layer_norm_epsilon 1e-07\."):
        save_preset(tmp_path, model(config))


@pytest.mark.parametrize("size", [0, -1, True, "10", float("nan")])
def test_shard_sizes(tmp_path: Path, size: object):
    with pytest.raises(ConfigError, match="max_shard_size must be a positive number of GiB"):
        save_preset(tmp_path, model(), max_shard_size=size)


def test_dtypes(tmp_path: Path):
    with pytest.raises(ConfigError, match="cannot be saved in this dtype"):
        save_preset(tmp_path, model(), dtype="int8")


@pytest.mark.parametrize(
    ("policy", "own", "in_keras"),
    [
        ("float32", "float32", "float32"),
        ("float64", "float64", "float64"),
        ("bfloat16", "bfloat16", "bfloat16"),
        ("mixed_float16", "float32", "mixed_float16"),
        ("float16_from_float32", "float16", "float32"),
    ],
)
def test_what_is_written_of_a_policy(policy: str, own: str, in_keras: str):
    ours = dataclasses.replace(model(), policy=DTypePolicy(policy))
    assert saved_dtype(ours, None) == own
    assert saved_policy(ours, own) == in_keras
    for dtype in {"float32", "float64", "float16"} - {own}:
        assert saved_dtype(ours, dtype) == saved_policy(ours, dtype) == dtype
