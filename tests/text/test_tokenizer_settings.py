"""Settings are checked when they are made."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from npbert.errors import ConfigError
from npbert.text.tokenizer_settings import SPECIAL_TOKENS, TokenizerSettings


def test_defaults_are_keras_hubs() -> None:
    assert dataclasses.asdict(TokenizerSettings()) == {
        "lowercase": False,
        "strip_accents": False,
        "split": True,
        "split_on_cjk": True,
        "suffix_indicator": "##",
        "oov_token": "[UNK]",
        "special_tokens": None,
        "special_tokens_in_strings": False,
        "sequence_length": None,
        "dtype": "int32",
    }


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"lowercase": 1}, "lowercase must be True or False"),
        ({"strip_accents": "no"}, "strip_accents must be True or False"),
        ({"split": None}, "split must be True or False"),
        ({"oov_token": None}, "oov_token must be a str"),
        ({"suffix_indicator": 3}, "suffix_indicator must be a str"),
        ({"special_tokens": "[X]"}, "special_tokens must be a list of str"),
        ({"special_tokens": ["a", ""]}, "a list of str, none empty"),
        ({"special_tokens": [3]}, "a list of str, none empty"),
        ({"sequence_length": 0}, "sequence_length must be an int in \\[1, 1000000\\]"),
        ({"sequence_length": 10**12}, "sequence_length must be an int in"),
        ({"sequence_length": 2.5}, "sequence_length must be an int in \\[1, 1000000\\]"),
        ({"dtype": "float32"}, r"dtype is not one[\s\S]*'int32', 'int64', 'string'"),
        ({"dtype": "int8"}, "dtype is not one"),
        ({"dtype": ["int32"]}, "dtype is not one"),
    ],
)
def test_wrong_values(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        TokenizerSettings(**settings)


@pytest.mark.parametrize(
    ("name", "near"), [("lower_case", "lowercase"), ("spilt", "split"), ("vocab", "vocabulary")]
)
def test_an_unknown_name_is_told_the_nearest(name: str, near: str) -> None:
    with pytest.raises(ConfigError, match=rf"unknown argument '{name}'[\s\S]*'{near}'"):
        TokenizerSettings.from_dict({name: True}, where="BertTokenizer(...)")


def test_what_is_kept_whole_and_needed() -> None:
    own = TokenizerSettings(special_tokens=["x"], special_tokens_in_strings=True)  # type: ignore[arg-type]
    assert own.kept_whole() == (*SPECIAL_TOKENS, "x")
    assert own.needed() == ("[UNK]", *SPECIAL_TOKENS, "x")
    assert TokenizerSettings(special_tokens=("x",)).kept_whole() == ()
    whole = TokenizerSettings(split=False, special_tokens_in_strings=True)
    assert whole.kept_whole() == ()
