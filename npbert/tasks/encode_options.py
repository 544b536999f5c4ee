"""What ``Embedder.encode`` may be asked for, beside the texts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Literal, NamedTuple, TypedDict

from npbert.config import unknown_name
from npbert.errors import ConfigError, InputTypeError
from npbert.tasks.batching import TOKENS_AT_ONCE, check_count
from npbert.tasks.texts import checked

OutputValue = Literal["sentence_embedding", "token_embeddings"]
OnTruncate = Literal["warn", "ignore", "error", "chunk"]

_OUTPUTS: Final = ("sentence_embedding", "token_embeddings")
_ON_TRUNCATE: Final = ("warn", "ignore", "error", "chunk")


class CommonKeywords(TypedDict, total=False):
    """The keywords of ``Embedder.encode`` that do not decide the type of what it returns."""

    prompt_name: str | None
    prompt: str | None
    batch_size: int
    max_batch_tokens: int | None
    show_progress_bar: bool | None
    normalize_embeddings: bool | None
    truncate_dim: int | None
    on_truncate: OnTruncate


class Keywords(CommonKeywords, total=False):
    """The keywords of ``Embedder.encode``."""

    output_value: OutputValue
    return_info: bool


class IterKeywords(TypedDict, total=False):
    """The keywords of ``Embedder.encode_iter``."""

    prompt_name: str | None
    prompt: str | None
    batch_size: int
    max_batch_tokens: int | None
    normalize_embeddings: bool | None
    truncate_dim: int | None
    output_value: OutputValue
    on_truncate: OnTruncate


class Options(NamedTuple):
    """Keywords that have been checked; see ``Embedder.encode``."""

    prompt: str = ""
    batch_size: int = 32
    max_batch_tokens: int = TOKENS_AT_ONCE
    normalize: bool = False
    truncate_dim: int | None = None
    tokens: bool = False
    on_truncate: OnTruncate = "warn"
    show_progress_bar: bool | None = None


def check_options(
    keywords: Keywords | IterKeywords,
    prompts: Mapping[str, str],
    default_prompt: str | None,
    dimension: int,
) -> Options:
    """The options that ``keywords`` ask for.

    Args:
        keywords: of ``Embedder.encode``.
        prompts: the model's, by name.
        default_prompt: the name of the one in force unless another is asked for.
        dimension: of its vectors.

    Raises:
        ConfigError, InputTypeError: a keyword has a value it cannot have.
    """
    get: Callable[..., Any] = keywords.get
    for name in ("normalize_embeddings", "show_progress_bar", "return_info"):
        _check_flag(name, get(name), none=name != "return_info")
    tokens_at_once, width = get("max_batch_tokens"), get("truncate_dim")
    if tokens_at_once is None:
        tokens_at_once = TOKENS_AT_ONCE
    options = Options(
        prompt=_prompt(keywords, prompts, default_prompt),
        batch_size=check_count("batch_size", get("batch_size", 32)),
        max_batch_tokens=check_count("max_batch_tokens", tokens_at_once),
        normalize=get("normalize_embeddings") or False,
        truncate_dim=None if width is None else _width(width, dimension),
        tokens=_one_of("output_value", keywords, _OUTPUTS) == "token_embeddings",
        on_truncate=_one_of("on_truncate", keywords, _ON_TRUNCATE),
        show_progress_bar=get("show_progress_bar"),
    )
    if options.tokens:
        _check_tokens(options)
    return options


def _prompt(
    keywords: Keywords | IterKeywords, prompts: Mapping[str, str], default: str | None
) -> str:
    prompt, name = keywords.get("prompt"), keywords.get("prompt_name")
    if prompt is not None and name is not None:
        raise ConfigError(
            "prompt and prompt_name exclude each other.",
            received=f"prompt={prompt!r:.80}, prompt_name={name!r:.80}",
        )
    if prompt is not None:
        return checked(prompt, "prompt")
    name = default if name is None else name
    if name is None:
        return ""
    if not isinstance(name, str) or name not in prompts:
        valid = list(prompts) or ["none: the model has no prompts"]
        raise unknown_name("prompt_name", str(name), valid)
    return prompts[name]


def _one_of(name: str, keywords: Mapping[str, object], valid: tuple[str, ...]) -> Any:
    value = keywords.get(name, valid[0])
    if value not in valid:
        raise unknown_name(name, str(value), list(valid))
    return value


def _width(value: object, dimension: int) -> int:
    width = check_count("truncate_dim", value)
    if width > dimension:
        raise ConfigError(
            "truncate_dim is more than a vector has.", received=width, expected=f"1 to {dimension}"
        )
    return width


def _check_flag(name: str, value: object, *, none: bool) -> None:
    if not isinstance(value, bool) and value is not None:
        expected = "True, False or None" if none else "True or False"
        raise InputTypeError(f"{name} must be {expected}.", received=repr(value))


def _check_tokens(options: Options) -> None:
    """What is done to the vector of a text cannot be asked for with those of its tokens."""
    asked = {
        "normalize_embeddings=True": options.normalize,
        "truncate_dim": options.truncate_dim is not None,
        'on_truncate="chunk"': options.on_truncate == "chunk",
    }
    for name, there in asked.items():
        if there:
            raise ConfigError(
                f"{name} goes with the vectors of texts, not of tokens.",
                received='output_value="token_embeddings"',
                fix="leave out one of the two",
            )
