"""Modules from modules.json and what it points to."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError, UnsafeModelError, UnsupportedModelError
from npbert.text.dense import DenseModule
from npbert.text.sentence_transformers import (
    DEFAULT,
    Modules,
    read_lowercase,
    read_modules,
)

from .tiny_model import write_dense, write_json, write_modules

LEGACY = "pooling_mode_{}".format
ST = "sentence_transformers."


def write(directory: Path, pooling: dict[str, Any], *after: str) -> Path:
    write_modules(directory, *after)
    write_json(directory / "1_Pooling" / "config.json", pooling)
    return directory


def write_list(directory: Path, **folders: str) -> Path:
    """modules.json with these folders by class."""
    entries = [{"type": f"{ST}{kind}", "path": folder} for kind, folder in folders.items()]
    write_json(directory / "modules.json", entries)
    return directory


def test_no_modules_is_the_default(tmp_path: Path) -> None:
    assert read_modules(tmp_path, 20) == DEFAULT == Modules(("mean",), stated=False)


@pytest.mark.parametrize(
    ("config", "modes"),
    [
        ({"pooling_mode": "mean"}, ["mean"]),
        ({"pooling_mode": "cls"}, ["cls"]),
        ({"pooling_mode": ["max"]}, ["max"]),
        ({"pooling_mode": "lasttoken"}, ["lasttoken"]),
        ({"pooling_mode": ["weightedmean", "cls", "mean"]}, ["weightedmean", "cls", "mean"]),
        ({"pooling_mode": "cls", LEGACY("mean_tokens"): True}, ["cls"]),
        ({LEGACY("cls_token"): True, LEGACY("mean_tokens"): False}, ["cls"]),
        ({LEGACY("mean_tokens"): True, LEGACY("max_tokens"): False}, ["mean"]),
        ({LEGACY("mean_sqrt_len_tokens"): True}, ["mean_sqrt_len_tokens"]),
        ({LEGACY("weightedmean_tokens"): True}, ["weightedmean"]),
        ({LEGACY("lasttoken"): True}, ["lasttoken"]),
        (
            {LEGACY("mean_tokens"): True, LEGACY("max_tokens"): True, LEGACY("cls_token"): True},
            ["cls", "max", "mean"],
        ),
        ({LEGACY("mean_tokens"): False}, ["mean"]),
        ({}, ["mean"]),
    ],
)
def test_modes(tmp_path: Path, config: dict[str, Any], modes: list[str]) -> None:
    assert read_modules(write(tmp_path, config), 20) == Modules(tuple(modes))


@pytest.mark.parametrize("include", [True, False])
def test_include_prompt(tmp_path: Path, include: bool) -> None:
    assert read_modules(write(tmp_path, {"include_prompt": include}), 20).include_prompt is include


def test_prompts_come_along(tmp_path: Path) -> None:
    fields = {"prompts": {"query": "q: "}, "similarity_fn_name": "euclidean", "truncate_dim": 4}
    write_json(tmp_path / "config_sentence_transformers.json", fields)
    assert read_modules(tmp_path, 20) == DEFAULT
    modules = read_modules(write(tmp_path, {}), 20)
    assert modules.prompts == {"query": "q: ", "document": ""}
    assert (modules.similarity_fn_name, modules.truncate_dim) == ("euclidean", 4)


def test_steps_in_order(tmp_path: Path) -> None:
    write(tmp_path, {"pooling_mode": ["cls", "max"]}, "Normalize", "Dense", "Dropout", "Normalize")
    write_dense(tmp_path / "3_Dense", 2 * 20, 6)
    modules = read_modules(tmp_path, 20)
    first, dense, last = modules.steps
    assert (first, last) == ("normalize", "normalize")
    assert isinstance(dense, DenseModule)
    assert dense.weight.shape == (40, 6)
    assert modules.dimension(20) == 6
    assert Modules(("cls", "max", "mean")).dimension(20) == 60


@pytest.mark.parametrize("key", ["word_embedding_dimension", "embedding_dimension"])
def test_the_pooling_is_for_vectors_of_the_models_width(tmp_path: Path, key: str) -> None:
    write(tmp_path, {key: 20})
    assert read_modules(tmp_path, 20) == Modules(("mean",))
    with pytest.raises(
        ModelFileError, match=r"another width[\s\S]*received: 20[\s\S]*24, the width of"
    ):
        read_modules(tmp_path, 24)


def test_each_dense_takes_what_it_is_given(tmp_path: Path) -> None:
    write(tmp_path, {}, "Dense", "Dense")
    write_dense(tmp_path / "2_Dense", 20, 6)
    write_dense(tmp_path / "3_Dense", 6, 3)
    assert read_modules(tmp_path, 20).dimension(20) == 3
    write_dense(tmp_path / "3_Dense", 7, 3)
    with pytest.raises(ModelFileError, match=r"another width[\s\S]*received: 7[\s\S]*6, the"):
        read_modules(tmp_path, 20)


def test_two_modes_are_twice_as_wide(tmp_path: Path) -> None:
    write(tmp_path, {"pooling_mode": ["cls", "max"]}, "Dense")
    write_dense(tmp_path / "2_Dense", 20, 6)
    with pytest.raises(ModelFileError, match=r"received: 20[\s\S]*expected: 40"):
        read_modules(tmp_path, 20)


def test_another_mode_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnsupportedModelError, match="npbert has no pooling 'nonsense'"):
        read_modules(write(tmp_path, {"pooling_mode": ["mean", "nonsense"]}), 20)


@pytest.mark.parametrize(
    "after",
    [("LayerNorm",), ("Dense", "LSTM"), ("CNN",), ("WeightedLayerPooling",), ("SpladePooling",)],
)
def test_other_modules_are_named(tmp_path: Path, after: tuple[str, ...]) -> None:
    with pytest.raises(UnsupportedModelError, match=f"does not run: {after[-1]}"):
        read_modules(write(tmp_path, {}, *after), 20)


def test_code_of_the_models_own_is_named(tmp_path: Path) -> None:
    entries = [{"type": "custom_st.Transformer", "path": ""}, {"type": f"{ST}P", "path": "1_P"}]
    write_json(tmp_path / "modules.json", entries)
    with pytest.raises(UnsupportedModelError, match=r"does not run: custom_st\.Transformer, P\."):
        read_modules(tmp_path, 20)


@pytest.mark.parametrize("kinds", [[], ["Transformer"], ["Transformer", "Normalize", "Pooling"]])
def test_other_sequences(tmp_path: Path, kinds: list[str]) -> None:
    write_list(tmp_path, **{kind: f"{i}_{kind}" for i, kind in enumerate(kinds)})
    with pytest.raises(UnsupportedModelError, match="Transformer -> Pooling, then any of Dense"):
        read_modules(tmp_path, 20)


def test_todays_names_of_the_classes(tmp_path: Path) -> None:
    kinds = ("base.modules.transformer.Transformer", "sentence_transformer.modules.pooling.Pooling")
    write_list(tmp_path, **dict(zip(kinds, ("", "pool"))))
    write_json(tmp_path / "pool" / "config.json", {"pooling_mode": "cls"})
    assert read_modules(tmp_path, 20).modes == ("cls",)


def test_a_normalize_of_something_else(tmp_path: Path) -> None:
    write(tmp_path, {}, "Normalize")
    config = tmp_path / "2_Normalize" / "config.json"
    write_json(config, {"module_input_name": "sentence_embedding"})
    assert read_modules(tmp_path, 20).steps == ("normalize",)
    write_json(config, {"module_input_name": "token_embeddings"})
    with pytest.raises(UnsupportedModelError, match="module_input_name is 'token_embeddings'"):
        read_modules(tmp_path, 20)


def test_a_transformer_in_a_folder_of_its_own(tmp_path: Path) -> None:
    write_list(tmp_path, Transformer="0_Transformer", Pooling="1_Pooling")
    write_json(tmp_path / "1_Pooling" / "config.json", {"pooling_mode": "cls"})
    write_json(tmp_path / "config_sentence_transformers.json", {"truncate_dim": 7})
    assert read_modules(tmp_path / "0_Transformer", 20) == Modules(("cls",), truncate_dim=7)
    with pytest.raises(UnsupportedModelError, match="in a directory of its own"):
        read_modules(tmp_path, 20)


def test_a_path_that_leads_out_is_refused(tmp_path: Path) -> None:
    write_list(tmp_path, Transformer="", Pooling="../1_Pooling")
    with pytest.raises(UnsafeModelError, match="leads out of the model's directory"):
        read_modules(tmp_path, 20)


@pytest.mark.parametrize(
    "config",
    [
        {"pooling_mode": 3},
        {"pooling_mode": []},
        {"pooling_mode": [3]},
        {LEGACY("cls_token"): "yes"},
        {"include_prompt": "no"},
        {"pooling_mode": "mean", "embedding_dimension": "20"},
        {"pooling_mode": "mean", "embedding_dimension": True},
        [],
    ],
)
def test_a_damaged_pooling_config(tmp_path: Path, config: Any) -> None:
    with pytest.raises(ModelFileError, match="1_Pooling"):
        read_modules(write(tmp_path, config), 20)


def test_a_missing_pooling_config(tmp_path: Path) -> None:
    write_modules(tmp_path)
    with pytest.raises(ModelFileError, match=r"does not exist[\s\S]*1_Pooling"):
        read_modules(tmp_path, 20)
    write_list(tmp_path, Transformer="", Pooling="")
    with pytest.raises(ModelFileError, match=r"a folder for .*Pooling, such as"):
        read_modules(tmp_path, 20)


def test_lowercase(tmp_path: Path) -> None:
    path = tmp_path / "sentence_bert_config.json"
    assert read_lowercase(tmp_path) is False
    for stated in (True, False):
        write_json(path, {"do_lower_case": stated})
        assert read_lowercase(tmp_path) is stated
    write_json(path, {"do_lower_case": None})
    assert read_lowercase(tmp_path) is False
    write_json(path, {"do_lower_case": "no"})
    with pytest.raises(ModelFileError, match="true or false as do_lower_case"):
        read_lowercase(tmp_path)
