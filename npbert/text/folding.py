"""Accents off, and case folded, as Keras Hub does both.

Source: keras_hub/src/tokenizers/word_piece_tokenizer.py, ``pretokenize_python``, and
keras_hub/src/utils/tensor_utils.py, ``casefold_utf8``. Both rest on Python's ``unicodedata``, so a
character that is newer than the Python's Unicode is left as it is.
"""

from __future__ import annotations

import re
import unicodedata
from itertools import groupby
from typing import Final, Literal

from npbert.text.unicode_classes import IGNORABLE, char_class

Form = Literal["NFD", "NFKC"]

_LONG_RUN: Final = 256
_NO_MARKS: Final = "0000-02ff 3041-3096 30a1-30fa 4e00-9fff ac00-d7a3"
_RUN: Final = re.compile(f"[^{char_class(_NO_MARKS)}]{{{_LONG_RUN},}}")
_IGNORED: Final = re.compile(f"[{char_class(IGNORABLE)}]+")


def strip_accents(text: str) -> str:
    """The text without marks: decomposed (NFD), less what has category Mn."""
    if text.isascii():
        return text
    decomposed = normalize("NFD", text)
    return "".join([c for c in decomposed if c.isascii() or unicodedata.category(c) != "Mn"])


def accents_origins(text: str) -> list[int]:
    """Which character of ``text`` each one of ``strip_accents(text)`` comes from."""
    return [
        i
        for i, character in enumerate(text)
        for c in unicodedata.normalize("NFD", character)
        if unicodedata.category(c) != "Mn"
    ]


def fold_case(word: str) -> str:
    """NFKC_Casefold: compatible forms and case folded, what is invisible dropped.

    ``ß`` becomes ``ss``, full-width letters narrow ones, and a letter and its accent one character.
    """
    if word.isascii():
        return word.lower()
    folded = normalize("NFKC", normalize("NFKC", word).casefold())
    return _IGNORED.sub("", folded)


def normalize(form: Form, text: str) -> str:
    """`unicodedata.normalize` in linear time: it sorts a letter's marks by moving each in turn.

    200,000 marks on one letter take it a minute. Python's own sort puts long runs of them in order
    first, and leaves nothing to move.
    """
    if len(text) >= _LONG_RUN:
        text = _RUN.sub(lambda run: _in_order(form, run[0]), text)
    return unicodedata.normalize(form, text)


def _in_order(form: Form, run: str) -> str:
    """Each character decomposed, and the marks between two letters sorted by combining class."""
    decomposed: Literal["NFD", "NFKD"] = "NFD" if form == "NFD" else "NFKD"
    characters = "".join([unicodedata.normalize(decomposed, c) for c in run])
    groups = groupby(characters, key=lambda c: unicodedata.combining(c) > 0)
    return "".join("".join(sorted(group, key=unicodedata.combining)) for _, group in groups)
