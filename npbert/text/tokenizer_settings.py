"""The settings of a `BertTokenizer`, under Keras Hub's names."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

from npbert.config import check_int, unknown_name
from npbert.errors import ConfigError

SPECIAL_TOKENS: Final = ("[CLS]", "[SEP]", "[PAD]", "[MASK]")
"""What every BERT's vocabulary has, besides the token for unknown words."""

DTYPES: Final = ("int32", "int64", "string")

MAX_LENGTH: Final = 1_000_000
"""Of a row of tokens: more is a damaged file, not a model."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TokenizerSettings:
    """How texts become tokens. Valid once it exists.

    Args:
        lowercase: fold the case of each word (NFKC_Casefold), after splitting.
        strip_accents: take the marks off the letters, before splitting.
        split: split at white space and punctuation; False takes each string for one word.
        split_on_cjk: split at CJK characters too.
        suffix_indicator: what stands before a token that continues a word.
        oov_token: the token for words that the vocabulary has no pieces for.
        special_tokens: more tokens that are kept whole, with ``special_tokens_in_strings``.
        special_tokens_in_strings: keep [CLS], [SEP], [PAD] and [MASK] in a text whole.
        sequence_length: cut or fill up, with 0, what a call returns to so many tokens.
        dtype: of what a call returns.

    Raises:
        ConfigError: a setting is not of its type, or not one of its values.
    """

    lowercase: bool = False
    strip_accents: bool = False
    split: bool = True
    split_on_cjk: bool = True
    suffix_indicator: str = "##"
    oov_token: str = "[UNK]"
    special_tokens: tuple[str, ...] | None = None
    special_tokens_in_strings: bool = False
    sequence_length: int | None = None
    dtype: str = "int32"

    def __post_init__(self) -> None:
        for name in _BOOLEANS:
            _require(name, getattr(self, name), bool, "True or False")
        _require("suffix_indicator", self.suffix_indicator, str, "a str")
        _require("oov_token", self.oov_token, str, "a str")
        if self.sequence_length is not None:
            check_int("sequence_length", self.sequence_length, 1, MAX_LENGTH)
        if self.special_tokens is not None:
            _require("special_tokens", self.special_tokens, tuple | list, "a list of str")
            object.__setattr__(self, "special_tokens", tuple(self.special_tokens))
            for token in self.special_tokens:
                _require("special_tokens", token or None, str, "a list of str, none empty")
        if self.dtype not in DTYPES:
            raise ConfigError(
                "dtype is not one that tokens come in.",
                received=repr(self.dtype),
                expected=", ".join(map(repr, DTYPES)),
            )

    @classmethod
    def from_dict(cls, settings: Mapping[str, Any], *, where: object) -> TokenizerSettings:
        """Settings by name.

        Raises:
            ConfigError: see the class; or a name that is none of a setting.
        """
        known = [field.name for field in dataclasses.fields(cls)]
        for name in settings:
            if name not in known:
                raise unknown_name("argument", name, ["vocabulary", *known, "name"], where=where)
        try:
            return cls(**settings)
        except ConfigError as error:
            raise ConfigError(
                error.what, where=where, received=error.received, expected=error.expected
            ) from None

    def kept_whole(self) -> tuple[str, ...]:
        """The tokens that are looked for in a text before it is split."""
        if not (self.split and self.special_tokens_in_strings):
            return ()
        return (*SPECIAL_TOKENS, *(self.special_tokens or ()))

    def needed(self) -> tuple[str, ...]:
        """The tokens that the vocabulary must have."""
        return (self.oov_token, *SPECIAL_TOKENS, *(self.special_tokens or ()))


_BOOLEANS: Final = (
    *("lowercase", "strip_accents", "split", "split_on_cjk", "special_tokens_in_strings"),
)


def _require(name: str, value: object, kind: Any, expected: str) -> None:
    if not isinstance(value, kind):
        raise ConfigError(
            f"{name} must be {expected}.", received=f"{value!r:.80} ({type(value).__name__})"
        )
