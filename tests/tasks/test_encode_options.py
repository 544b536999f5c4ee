"""Keywords of ``encode``: what they become, and what is refused."""

from __future__ import annotations

from typing import Any

import pytest

from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.tasks.batching import TOKENS_AT_ONCE
from npbert.tasks.encode_options import Options, check_options

PROMPTS = {"query": "query: ", "document": ""}


def options(default: str | None = None, **keywords: Any) -> Options:
    return check_options(keywords, PROMPTS, default, 20)  # type: ignore[arg-type]


def test_nothing_asked_for() -> None:
    assert options() == Options()
    assert options(**dict.fromkeys(("prompt", "max_batch_tokens", "truncate_dim"))) == Options()
    assert Options().max_batch_tokens == TOKENS_AT_ONCE


def test_everything_asked_for() -> None:
    asked = options(
        prompt_name="query",
        batch_size=3,
        max_batch_tokens=70,
        show_progress_bar=False,
        normalize_embeddings=True,
        truncate_dim=20,
        on_truncate="chunk",
    )
    assert asked == Options("query: ", 3, 70, True, 20, False, "chunk", False)
    assert options(output_value="token_embeddings").tokens


def test_the_prompt() -> None:
    assert options(default="query").prompt == "query: "
    assert options(default="query", prompt_name="document").prompt == ""
    assert options(default="query", prompt="passage: ").prompt == "passage: "
    assert options(default="query", prompt="").prompt == ""


def test_prompts_that_there_are_not() -> None:
    with pytest.raises(ConfigError, match=r"unknown prompt_name 'qury'[\s\S]*did you mean 'query'"):
        options(prompt_name="qury")
    with pytest.raises(ConfigError, match=r"unknown prompt_name .*query"):
        options(prompt_name=["query"])
    with pytest.raises(ConfigError, match="prompt and prompt_name exclude each other"):
        options(prompt_name="query", prompt="q: ")
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*prompt"):
        options(prompt=3)
    with pytest.raises(InputError, match=r"surrogate pair[\s\S]*prompt, character 1"):
        options(prompt="q\ud800: ")
    with pytest.raises(ConfigError, match="none: the model has no prompts"):
        check_options({"prompt_name": "query"}, {}, None, 20)


@pytest.mark.parametrize("name", ["batch_size", "max_batch_tokens", "truncate_dim"])
@pytest.mark.parametrize("value", [0, -3, 2.0, True, "32"])
def test_counts(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} must be an int of 1 or more"):
        options(**{name: value})


def test_more_than_a_vector_has() -> None:
    with pytest.raises(ConfigError, match=r"more than a vector has[\s\S]*21[\s\S]*1 to 20"):
        options(truncate_dim=21)
    with pytest.raises(ConfigError, match="batch_size must be an int of 1 or more"):
        options(batch_size=None)


@pytest.mark.parametrize("name", ["normalize_embeddings", "show_progress_bar"])
def test_flags(name: str) -> None:
    with pytest.raises(InputTypeError, match=f"{name} must be True, False or None"):
        options(**{name: 1})
    with pytest.raises(InputTypeError, match="return_info must be True or False"):
        options(return_info="yes")


def test_names() -> None:
    with pytest.raises(ConfigError, match=r"unknown output_value 'tokens'[\s\S]*token_embeddings"):
        options(output_value="tokens")
    with pytest.raises(ConfigError, match=r"unknown on_truncate 'warm'[\s\S]*did you mean 'warn'"):
        options(on_truncate="warm")


@pytest.mark.parametrize(
    "keyword", [{"normalize_embeddings": True}, {"truncate_dim": 5}, {"on_truncate": "chunk"}]
)
def test_what_does_not_go_with_the_vectors_of_tokens(keyword: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"goes with the vectors of texts, not of tokens"):
        options(output_value="token_embeddings", **keyword)
