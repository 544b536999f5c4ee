"""A text to words, as Keras Hub splits it: at white space, punctuation and CJK characters.

Source: keras_hub/src/tokenizers/word_piece_tokenizer.py, ``pretokenize_python``. Its order is kept:
accents go first, then the text is split, then the case of each word is folded; so what folding
makes of a word is not split again.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from npbert.text.folding import accents_origins, fold_case, strip_accents
from npbert.text.unicode_classes import (
    ASCII_SYMBOLS,
    CJK,
    CONTROL,
    PUNCTUATION,
    SPACE,
    char_class,
)

_DROPPED: Final = (SPACE, CONTROL)
_KEPT: Final = (ASCII_SYMBOLS, PUNCTUATION)
# An ASCII letter or digit is in no class, and any other ASCII character ends the word.
_ASCII_WORD: Final = r"[0-9A-Za-z]++(?=[\x00-\x7f])"


class Splitter:
    """The way from a text to words whose pieces are looked up.

    Args:
        lowercase: fold the case of each word.
        strip_accents: take the marks off the text before it is split.
        split: False leaves the text as one word.
        split_on_cjk: make every CJK character a word.
        special_tokens: what is never split nor folded; the first that fits wins.
    """

    def __init__(
        self,
        *,
        lowercase: bool,
        strip_accents: bool,
        split: bool,
        split_on_cjk: bool,
        special_tokens: Sequence[str],
    ) -> None:
        self._lowercase = lowercase
        self._strip_accents = strip_accents
        self._special = frozenset(special_tokens) if split else frozenset[str]()
        self._pattern = word_pattern(split_on_cjk, special_tokens) if split else None

    def words(self, text: str) -> list[str]:
        """The words of a text, in order, their case as it is."""
        if self._strip_accents:
            text = strip_accents(text)
        return [text] if self._pattern is None else self._pattern.findall(text)

    def fold(self, word: str) -> str:
        """The word as the vocabulary may have it; it can be empty."""
        return fold_case(word) if self._lowercase and word not in self._special else word

    def places(self, text: str) -> list[tuple[str, Sequence[int]]]:
        """As `words`, each with the index in ``text`` of every one of its characters."""
        origins = accents_origins(text) if self._strip_accents else range(len(text))
        if self._strip_accents:
            text = strip_accents(text)
        if self._pattern is None:
            return [(text, origins)]
        found = self._pattern.finditer(text)
        return [(match[0], origins[match.start() : match.end()]) for match in found]


def word_pattern(split_on_cjk: bool, special_tokens: Sequence[str]) -> re.Pattern[str]:
    """What finds the words of a text, and passes over what lies between them."""
    kept = char_class(*_KEPT, *((CJK,) if split_on_cjk else ()))
    ends = f"{char_class(*_DROPPED)}{kept}"
    words = rf"{_ASCII_WORD}|[^{ends}]+"
    if not special_tokens:
        return re.compile(rf"{words}|[{kept}]")
    special = "|".join(map(re.escape, special_tokens))
    if not all(re.match(f"[{ends}]", token) for token in special_tokens):
        words = rf"(?:(?!{special})[^{ends}])+"  # one may begin inside a word
    return re.compile(rf"{special}|{words}|[{kept}]")
