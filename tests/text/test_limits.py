"""Which limit on tokens is in force."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ConfigError
from npbert.text.limits import Limit, resolve_limit

from .tiny_model import write_json

SENTENCE, TOKENIZER = "sentence_bert_config.json", "tokenizer_config.json"
PREPROCESSOR = "preprocessor.json"


def resolve(
    directory: Path, sentence: Any = None, tokenizer: Any = None, **more: int | None
) -> Limit:
    """The limit of a directory that says this much, with 512 positions."""
    if sentence is not None:
        write_json(directory / SENTENCE, {"max_seq_length": sentence})
    if tokenizer is not None:
        write_json(directory / TOKENIZER, {"model_max_length": tokenizer})
    return resolve_limit(directory, positions=512, least=3, **more)


@pytest.mark.parametrize(
    ("sentence", "tokenizer", "argument", "value", "source"),
    [
        (256, 300, 100, 100, "the max_seq_length argument"),
        (256, 300, 512, 512, "the max_seq_length argument"),
        (256, 300, None, 256, SENTENCE),
        (700, 300, None, 512, "the position table"),
        (None, 300, None, 300, TOKENIZER),
        (None, 600, None, 512, "the position table"),
        (None, 10**30, None, 512, "the position table"),
        (None, 1e30, None, 512, "the position table"),
        (None, None, None, 512, "the position table"),
        (512, None, None, 512, SENTENCE),
    ],
)
def test_precedence(
    tmp_path: Path,
    sentence: int | None,
    tokenizer: float | None,
    argument: int | None,
    value: int,
    source: str,
) -> None:
    limit = resolve(tmp_path, sentence, tokenizer, argument=argument)
    assert (limit.value, limit.source) == (value, source)


def test_every_candidate_is_listed_in_order(tmp_path: Path) -> None:
    assert resolve(tmp_path, 256, 300, baked=128).candidates == {
        "the max_seq_length argument": None,
        SENTENCE: 256,
        TOKENIZER: 300,
        PREPROCESSOR: None,
        "the position table": 512,
        "tokenizer.json (never used)": 128,
    }


def test_null_and_a_missing_key_are_silence(tmp_path: Path) -> None:
    write_json(tmp_path / SENTENCE, {"max_seq_length": None})
    write_json(tmp_path / TOKENIZER, {"do_lower_case": True})
    assert resolve(tmp_path).source == "the position table"


@pytest.mark.parametrize(("stated", "value"), [(256, 256), (600, 512), (None, 512)])
def test_a_keras_preset_states_it_in_its_preprocessor(
    tmp_path: Path, stated: int | None, value: int
) -> None:
    write_json(tmp_path / PREPROCESSOR, {"config": {"sequence_length": stated}})
    limit = resolve(tmp_path)
    assert (limit.value, limit.source == PREPROCESSOR) == (value, value == 256)
    assert limit.candidates[PREPROCESSOR] == stated


@pytest.mark.parametrize("content", [{}, {"config": None}, {"config": [256]}])
def test_a_preprocessor_without_a_config_says_nothing(tmp_path: Path, content: Any) -> None:
    write_json(tmp_path / PREPROCESSOR, content)
    assert resolve(tmp_path).source == "the position table"


@pytest.mark.parametrize("stated", [0, "256", True])
def test_a_bad_number_in_the_preprocessor(tmp_path: Path, stated: Any) -> None:
    write_json(tmp_path / PREPROCESSOR, {"config": {"sequence_length": stated}})
    with pytest.raises(ConfigError, match="sequence_length must be an int of 1 or more"):
        resolve(tmp_path)


@pytest.mark.parametrize("argument", [0, -1, 2, 513, True, 3.0, "7"])
def test_a_bad_argument(tmp_path: Path, argument: Any) -> None:
    with pytest.raises(ConfigError, match=r"max_seq_length must be an int in \[3, 512\]"):
        resolve(tmp_path, argument=argument)


@pytest.mark.parametrize("stated", [0, -5, "256", True, 256.0, [256]])
def test_a_bad_number_in_a_file(tmp_path: Path, stated: Any) -> None:
    with pytest.raises(ConfigError, match="max_seq_length must be an int of 1 or more") as caught:
        resolve(tmp_path, sentence=stated)
    assert caught.value.where == tmp_path / SENTENCE


@pytest.mark.parametrize("stated", [0, "512", False])
def test_a_bad_number_in_tokenizer_config(tmp_path: Path, stated: Any) -> None:
    with pytest.raises(ConfigError, match="model_max_length must be an int of 1 or more"):
        resolve(tmp_path, tokenizer=stated)


def test_a_limit_without_room_for_a_word(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="leaves no room for a word") as caught:
        resolve(tmp_path, sentence=2)
    assert caught.value.where == tmp_path / SENTENCE
    with pytest.raises(ConfigError, match="leaves no room for a word") as caught:
        resolve_limit(tmp_path / "nowhere", positions=2, least=3)
    assert caught.value.where == "the position table"


@pytest.mark.parametrize("content", [b"[]", b"{", b"\xff", b'{"a": 1, "a": 2}', b'{"a": NaN}'])
def test_a_damaged_file(tmp_path: Path, content: bytes) -> None:
    (tmp_path / TOKENIZER).write_bytes(content)
    with pytest.raises(ConfigError, match=TOKENIZER):
        resolve(tmp_path)
