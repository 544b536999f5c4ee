"""How many tokens a text may have, and which file said so.

One model states several limits. all-MiniLM-L6-v2 has four: 128 in ``tokenizer.json``, 256 in
``sentence_bert_config.json``, 512 in ``tokenizer_config.json`` and 512 rows in its position table.
The order here is that of sentence-transformers, so 256 is in force; ``tokenizer.json`` never
counts. A Keras Hub preset has one in ``preprocessor.json`` and its position table.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple

from npbert.errors import ConfigError
from npbert.weights.strict_json import read_object

ARGUMENT: Final = "the max_seq_length argument"
POSITIONS: Final = "the position table"
SENTENCE_TRANSFORMERS: Final = "sentence_bert_config.json"
TOKENIZER_CONFIG: Final = "tokenizer_config.json"
PREPROCESSOR: Final = "preprocessor.json"
BAKED: Final = "tokenizer.json (never used)"

_MAX_BYTES: Final = 4_000_000  # tokenizer_config.json may list thousands of added tokens


class Limit(NamedTuple):
    """The limit in force.

    Args:
        value: tokens, [CLS] and [SEP] included.
        source: where ``value`` comes from.
        candidates: every source, in order of precedence, with what it says; None is silence.
    """

    value: int
    source: str
    candidates: dict[str, int | None]


def resolve_limit(
    directory: Path,
    *,
    positions: int,
    least: int,
    argument: int | None = None,
    baked: int | None = None,
) -> Limit:
    """The first that is stated, in the order of the list below; never past P.

    Args:
        directory: the model's.
        positions: P, rows of its position table.
        least: the fewest tokens that leave room for a word beside the special ones.
        argument: what the caller asks for.
        baked: the truncation inside tokenizer.json, listed among the candidates only.

    Raises:
        ConfigError: a limit is not an int, leaves no room, or the argument is above ``positions``.
        ModelFileError: a file is there but cannot be read.
    """
    sentence_path = directory / SENTENCE_TRANSFORMERS
    if argument is not None:
        _check_argument(argument, least, positions)
    candidates = {
        ARGUMENT: argument,
        SENTENCE_TRANSFORMERS: _stated(sentence_path, "max_seq_length", _whole),
        TOKENIZER_CONFIG: _stated(directory / TOKENIZER_CONFIG, "model_max_length", _rounded),
        PREPROCESSOR: _stated(directory / PREPROCESSOR, "sequence_length", _whole, within="config"),
        POSITIONS: positions,
        BAKED: baked,
    }
    source = next(name for name, value in candidates.items() if value is not None)
    if (candidates[source] or 0) > positions:
        source = POSITIONS
    value = candidates[source] or 0
    if value < least:
        raise ConfigError(
            "the limit on tokens leaves no room for a word.",
            where=source if source == POSITIONS else directory / source,
            received=value,
            expected=f"{least} or more: the special tokens and one word",
            fix="pass max_seq_length, or correct the file",
        )
    return Limit(value, source, candidates)


def _check_argument(argument: object, least: int, positions: int) -> None:
    if _whole(argument) and least <= argument <= positions:  # type: ignore[operator]
        return
    raise ConfigError(
        f"max_seq_length must be an int in [{least}, {positions}].",
        received=f"{argument!r} ({type(argument).__name__})",
        fix=f"the model's position table ends at {positions}; split longer texts into passages",
    )


def _stated(
    path: Path, key: str, accepts: Callable[[object], bool], within: str | None = None
) -> int | None:
    """The number under ``key``, or None where the file or the key is absent or null."""
    if not path.exists():
        return None
    fields: Any = read_object(path, max_bytes=_MAX_BYTES, error=ConfigError)
    if within is not None:
        fields = fields.get(within)
    value: Any = fields.get(key) if isinstance(fields, dict) else None
    if value is None:
        return None
    if not accepts(value) or not value >= 1:
        raise ConfigError(
            f"{key} must be an int of 1 or more.",
            where=path,
            received=f"{value!r} ({type(value).__name__})",
            fix="correct the file",
        )
    return int(min(value, 10**30))


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _rounded(value: object) -> bool:
    # transformers writes 1e30 for "no limit", as an int or as a float.
    return _whole(value) or isinstance(value, float)
