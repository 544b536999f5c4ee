"""Prompts and similarity from config_sentence_transformers.json."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError
from npbert.text.prompts import FILE, NO_PROMPTS, Usage, read_usage

from .tiny_model import write_json


def read(directory: Path, **fields: Any) -> Usage:
    write_json(directory / FILE, fields)
    return read_usage(directory)


def test_no_file(tmp_path: Path) -> None:
    assert read_usage(tmp_path) == Usage()
    assert Usage() == Usage({"query": "", "document": ""}, None, "cosine", None)


def test_what_old_models_have(tmp_path: Path) -> None:
    versions = {"sentence_transformers": "2.0.0", "transformers": "4.7.0"}
    assert read(tmp_path, __version__=versions) == Usage()
    assert read(tmp_path, prompts={}, default_prompt_name=None) == Usage()
    assert read(tmp_path, prompts=None, similarity_fn_name=None, truncate_dim=None) == Usage()


def test_everything(tmp_path: Path) -> None:
    prompts = {"query": "query: ", "document": None, "topic": "About: "}
    usage = read(
        tmp_path,
        prompts=prompts,
        default_prompt_name="topic",
        similarity_fn_name="dot",
        truncate_dim=64,
    )
    known = {"query": "query: ", "document": "", "topic": "About: "}
    assert usage == Usage(known, "topic", "dot", 64)
    assert list(usage.prompts) == list(known)
    assert NO_PROMPTS == {"query": "", "document": ""}


def test_a_similarity_of_other_models_is_cosine(tmp_path: Path) -> None:
    assert read(tmp_path, similarity_fn_name="maxsim").similarity_fn_name == "cosine"


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"prompts": ["query: "]}, "prompts as name -> text"),
        ({"prompts": {"query": 3}}, "prompts as name -> text"),
        ({"default_prompt_name": "topic"}, "default_prompt_name among query, document"),
        ({"default_prompt_name": ["query"]}, "default_prompt_name among query, document"),
        ({"truncate_dim": 0}, "an int of 1 or more as truncate_dim"),
        ({"truncate_dim": "64"}, "an int of 1 or more as truncate_dim"),
    ],
)
def test_a_damaged_file(tmp_path: Path, fields: dict[str, Any], what: str) -> None:
    with pytest.raises(ModelFileError, match=what) as caught:
        read(tmp_path, **fields)
    assert caught.value.where == tmp_path / FILE
