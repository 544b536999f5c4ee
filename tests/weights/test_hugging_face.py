"""Hugging Face's model.safetensors -> arrays under npbert's names."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npbert.errors import ModelFileError, UnsafeModelError, UnsupportedModelError, WeightError
from npbert.weights import hugging_face, weight_shapes

from . import model_files
from .model_files import (
    CONFIG,
    PRESETS,
    assert_same,
    change_json,
    golden,
    random_arrays,
    safetensors_bytes,
    shard_safetensors,
    write_safetensors,
)

QUERY = "encoder.layer.1.attention.self.query.weight"


@pytest.fixture
def named() -> dict[str, np.ndarray]:
    return model_files.hugging_face(random_arrays())


def _load(tmp_path: Path, named: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return hugging_face.load(write_safetensors(tmp_path / "model.safetensors", named), CONFIG)


def test_what_transformers_wrote_is_what_went_in():
    config, weights = golden("hf_tiny")
    assert_same(hugging_face.load(PRESETS / "hf_tiny" / "model.safetensors", config), weights)


def test_with_prefix_head_and_no_pooler():
    config, weights = golden("hf_tiny_prefixed")
    expected = {k: a for k, a in weights.items() if not k.startswith("pooled_dense/")}
    path = PRESETS / "hf_tiny_prefixed" / "model.safetensors"
    assert_same(hugging_face.load(path, config), expected)


@pytest.mark.parametrize("prefix", ["", "bert."])
@pytest.mark.parametrize("norm", [("weight", "bias"), ("gamma", "beta")])
def test_names_over_the_years(tmp_path: Path, prefix: str, norm: tuple[str, str]):
    named = model_files.hugging_face(random_arrays(), prefix=prefix, norm=norm)
    named[f"{prefix}embeddings.position_ids"] = np.arange(7)[None]
    named["cls.predictions.bias"] = np.ones(11, np.float32)
    loaded = _load(tmp_path, named)
    assert list(loaded) == list(weight_shapes(CONFIG))
    assert_same(loaded, random_arrays())


@pytest.mark.parametrize(
    "heads",
    [
        ("classifier.weight", "classifier.bias"),
        ("qa_outputs.weight", "qa_outputs.bias"),
        ("cls.predictions.transform.LayerNorm.gamma", "cls.predictions.transform.LayerNorm.weight"),
        ("sentence_head.dense.0.weight", "linear.bias"),
    ],
)
def test_heads_beside_the_encoder(tmp_path: Path, heads: tuple[str, str]):
    named = model_files.hugging_face(random_arrays(), prefix="bert.")
    assert_same(_load(tmp_path, named | dict.fromkeys(heads, np.ones(3))), random_arrays())


def test_without_prefix_nothing_is_known_to_be_a_head(tmp_path: Path, named: dict[str, np.ndarray]):
    named["classifier.weight"] = np.ones(3, np.float32)
    with pytest.raises(WeightError, match=r"without a place(.|\n)*received: classifier.weight"):
        _load(tmp_path, named)


def test_extra_within_the_prefix(tmp_path: Path):
    named = model_files.hugging_face(random_arrays(), prefix="bert.")
    named["bert.adapter.weight"] = np.ones(3, np.float32)
    with pytest.raises(WeightError, match=r"without a place(.|\n)*received: adapter.weight"):
        _load(tmp_path, named)


def test_without_pooler(tmp_path: Path, named: dict[str, np.ndarray]):
    del named["pooler.dense.weight"], named["pooler.dense.bias"]
    assert list(_load(tmp_path, named)) == list(weight_shapes(CONFIG, pooler=False))


def test_half_a_pooler(tmp_path: Path, named: dict[str, np.ndarray]):
    del named["pooler.dense.bias"]
    with pytest.raises(WeightError, match=r"1 tensor is missing(.|\n)*pooler.dense.bias"):
        _load(tmp_path, named)


def test_missing(tmp_path: Path, named: dict[str, np.ndarray]):
    del named[QUERY]
    with pytest.raises(WeightError, match=rf"1 tensor is missing(.|\n)*expected: {QUERY}"):
        _load(tmp_path, named)


def test_extra(tmp_path: Path, named: dict[str, np.ndarray]):
    named["encoder.layer.2.output.dense.bias"] = np.ones(12, np.float32)
    with pytest.raises(WeightError, match=r"1 tensor is in the file without a place"):
        _load(tmp_path, named)


def test_more_layers_than_the_config_says_are_left_out_when_that_is_asked(
    tmp_path: Path, named: dict[str, np.ndarray]
):
    path = write_safetensors(tmp_path / "model.safetensors", named)
    one = dataclasses.replace(CONFIG, num_layers=1)
    with pytest.raises(WeightError, match=r"16 tensors are in the file without a place"):
        hugging_face.load(path, one)
    for config in (one, dataclasses.replace(CONFIG, num_layers=0)):
        loaded = hugging_face.load(path, config, leave_out_layers=True)
        assert_same(loaded, {name: random_arrays()[name] for name in weight_shapes(config)})
    three = dataclasses.replace(CONFIG, num_layers=3)
    with pytest.raises(WeightError, match="16 tensors are missing"):
        hugging_face.load(path, three, leave_out_layers=True)


# -- several files ---------------------------------------------------------------------------------


@pytest.fixture
def index(tmp_path: Path, named: dict[str, np.ndarray]) -> Path:
    return shard_safetensors(named, tmp_path / "model.safetensors.index.json", 4)


def test_shards(index: Path):
    loaded = hugging_face.load(index, CONFIG)
    assert list(loaded) == list(weight_shapes(CONFIG))
    assert_same(loaded, random_arrays())


def test_a_missing_shard(index: Path):
    (index.parent / "model-00003-of-00004.safetensors").unlink()
    with pytest.raises(WeightError, match=r"the shard 'model-00003-of-.* is missing"):
        hugging_face.load(index, CONFIG)


def test_a_tensor_in_none(index: Path):
    change_json(index, lambda raw: raw["weight_map"].pop(QUERY))
    with pytest.raises(WeightError, match=f"'{QUERY}' is where the index does not say"):
        hugging_face.load(index, CONFIG)


def test_a_tensor_that_is_not_in_the_file_that_the_index_names(index: Path):
    change_json(index, lambda raw: raw["weight_map"].update(again=raw["weight_map"][QUERY]))
    with pytest.raises(WeightError, match=r"'again' is not where the index says"):
        hugging_face.load(index, CONFIG)


def test_a_tensor_in_two_shards(index: Path, named: dict[str, np.ndarray]):
    owner = json.loads(index.read_text())["weight_map"][QUERY]
    other = next(path for path in sorted(index.parent.glob("*.safetensors")) if path.name != owner)
    part = {key: named[key] for key in list(named)[0::4]} | {QUERY: named[QUERY]}
    write_safetensors(other, part)
    message = rf"'{QUERY}' is where the index does not say(.|\n)*received: {other.name}"
    with pytest.raises(WeightError, match=rf"{message}\n  expected: {owner}"):
        hugging_face.load(index, CONFIG)


def test_a_shard_elsewhere(index: Path):
    change_json(index, lambda raw: raw["weight_map"].update({QUERY: "../model.safetensors"}))
    with pytest.raises(UnsafeModelError, match=r"shard path '../model.safetensors' escapes"):
        hugging_face.load(index, CONFIG)


def test_a_damaged_shard_is_named(index: Path):
    path = index.parent / "model-00002-of-00004.safetensors"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelFileError, match=rf"where: +{path}"):
        hugging_face.load(index, CONFIG)


def test_a_file_that_changes_while_it_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    named = model_files.hugging_face(random_arrays())
    path = write_safetensors(tmp_path / "model.safetensors", named)
    os.utime(path, ns=(10**18, 10**18))
    read_tensor = hugging_face.read_tensor

    def change_and_read(*arguments: Any) -> np.ndarray:
        path.write_bytes(safetensors_bytes(named))
        return read_tensor(*arguments)

    monkeypatch.setattr(hugging_face, "read_tensor", change_and_read)
    with pytest.raises(ModelFileError, match="the file was changed while it was read"):
        hugging_face.load(path, CONFIG)


# -- one file --------------------------------------------------------------------------------------


@pytest.mark.parametrize("again", [f"bert.{QUERY}", "embeddings.LayerNorm.gamma"])
def test_twice(tmp_path: Path, named: dict[str, np.ndarray], again: str):
    named[again] = np.ones(12, np.float32)
    with pytest.raises(WeightError, match=rf"two tensors of the file both mean(.|\n)*{again}"):
        _load(tmp_path, named)


def test_wrong_shape_is_given_in_the_layout_of_the_file(tmp_path: Path):
    config = dataclasses.replace(CONFIG, intermediate_dim=14)
    path = write_safetensors(tmp_path / "a", model_files.hugging_face(random_arrays()))
    with pytest.raises(WeightError) as error:
        hugging_face.load(path, config)
    kernel = "transformer_layer_0/feedforward_intermediate_dense/kernel"
    assert str(error.value) == (
        f"{kernel!r} has the wrong shape.\n"
        f"  where:    {path}: encoder.layer.0.intermediate.dense.weight\n"
        "  received: (13, 12)\n"
        "  expected: (14, 12), from the config\n"
        "  fix:      check that the weights and config.json belong together"
    )


@pytest.mark.parametrize(
    ("name", "keras"),
    [
        (QUERY, "transformer_layer_1/self_attention_layer/query/kernel"),
        (
            "encoder.layer.0.output.dense.weight",
            "transformer_layer_0/feedforward_output_dense/kernel",
        ),
    ],
)
def test_a_kernel_in_the_layout_of_keras(
    tmp_path: Path, named: dict[str, np.ndarray], name: str, keras: str
):
    with pytest.raises(WeightError, match=f"^'{keras}' has the wrong shape"):
        _load(tmp_path, named | {name: random_arrays()[keras]})


def test_not_finite_is_given_in_the_layout_of_keras(tmp_path: Path, named: dict[str, np.ndarray]):
    named[QUERY][2 * 4 + 3, 5] = np.nan
    with pytest.raises(WeightError, match=r"1 value not finite(.|\n)*nan at \[5, 2, 3\]"):
        _load(tmp_path, named)


def test_quantised(tmp_path: Path, named: dict[str, np.ndarray]):
    named[QUERY] = named[QUERY].astype(np.int64)
    with pytest.raises(UnsupportedModelError, match=f"unsupported dtype I64 for '{QUERY}'"):
        _load(tmp_path, named)


def test_not_safetensors(tmp_path: Path):
    (tmp_path / "model.safetensors").write_bytes(b"<!DOCTYPE html>\n<html>404</html>")
    with pytest.raises(ModelFileError, match="not a safetensors file; it looks like an HTML page"):
        hugging_face.load(tmp_path / "model.safetensors", CONFIG)


def test_loading_imports_no_library_but_numpy():
    script = f"""
import sys
from pathlib import Path
from npbert.presets import load_preset
preset = load_preset(Path({str(PRESETS / "hf_tiny")!r}))
assert len(preset.weights) == 7 + 16 * 3
heavy = {{"numba", "scipy", "h5py", "safetensors", "tokenizers", "ml_dtypes", "typer", "rich"}}
print(sorted(heavy & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("[]\n", "")
