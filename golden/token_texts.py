"""Texts that a rule of the tokenizer is about, and settings: for the goldens and the live tests.

Scripts that are split and scripts that are not, accents composed and not, characters that nobody
sees, words at the limit of 100 bytes.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from itertools import product
from random import Random
from typing import Any, Final

SPECIAL: Final = ("[CLS]", "[SEP]", "[PAD]", "[MASK]")
OWN: Final = ("[unused0]", "new york", "co-op", "ß")  # given as special_tokens

_RANGES: Final = (
    *((0x20, 0x7F), (0x20, 0x250), (0x250, 0x370), (0x370, 0x530), (0x530, 0x900)),
    *((0x900, 0x1100), (0x1100, 0x1200), (0x1200, 0x2000), (0x2000, 0x2070), (0x2070, 0x2C00)),
    *((0x2C00, 0x3000), (0x3000, 0x3400), (0x3400, 0xA000), (0xA000, 0xD7FF), (0xE000, 0xFB00)),
    *((0xFB00, 0xFFFF), (0x10000, 0x12000), (0x12000, 0x17000), (0x1B000, 0x1FC00)),
    *((0x20000, 0x31350), (0xE0000, 0xE01F0), (0, 0x20), (0x7F, 0xA1), (0, 0xD800)),
)
_MARKS: Final = "\u0301\u0302\u0308\u030a\u0316\u0327\u0328\u0345\u3099\u093c\u05b8\u064b\u302e"
_UNSEEN: Final = "\u00ad\u034f\u061c\u115f\u200b\u200d\u2060\ufe0f\ufeff\uffa0\U000e0101\U000e0020"
_SPACES: Final = " \t\n\r\f\v\x1c\x85\u00a0\u1680\u2003\u2028\u2029\u202f\u205f\u3000"
_EMOJI: Final = ("👍🏽", "🏳️‍🌈", "👩‍👩‍👧‍👦", "🇯🇵", "🇫🇷", "❤️", "☺", "1️⃣", "🫠", "©", "™️", "🧑🏿‍🚀")
_FORMS: Final = tuple("ﬁ ﬀ Ａ ⅷ ½ ㎏ ſ \u212a \u212b ẞ ŉ ǰ ΐ ᾳ İ ı Σ ς ﷺ".split())
_MARKUP: Final = (
    *("<p>", "</p>", '<a href="https://a.example/b?c=d&e=%20#f">', "&nbsp;", "&#x27;", "<br/>"),
    *("```python", "**bold**", "[link](x.md)", "$\\frac{a}{b}$", "{{name}}", "<!-- note -->"),
    *("SELECT * FROM t;", "x+=1;", "a->b", "__init__", "C:\\temp", "<|end|>", "@user", "#tag"),
)
_POOLS: Final[tuple[tuple[Sequence[str], int], ...]] = (  # pieces, and how many together
    *((_MARKUP, 1), (_EMOJI, 2), (_FORMS, 2), (SPECIAL, 2), (OWN, 1), (_UNSEEN, 5), (_MARKS, 5)),
    *((("The", "quick", "BROWN", "fox", "Jumped"), 2), *(((), 7) for _ in range(5))),
)
TRICKY: Final = (
    *("", " ", "a", "#", "##", "##s", "the##s", "\x00", "a\x00b", "\ufffd", "\ue000", "[MASK]"),
    *("[MASK", "[[MASK]]", "[mask]", "The [MASK] sat.[SEP]", "[PAD][PAD]", "x[CLS]y", "[UNK]"),
    *("New York new york NEW YORK", "xnew yorky", "co-op Co-op coop", "[unused0][unused1]"),
    *("straße ß STRASSE", "Σίσυφος ΣΊΣΥΦΟΣ", "ΑΙΓΑΊΟ", "İstanbul ıI", "ǅ ǆ Ǆ", "e\u0301\u0302"),
    *("\u0301", "a\u0301\u0316\u0301", "क़ क\u093c", "각 \u1100\u1161\u11a8", "が か\u3099"),
    *("\ufe0f", "\u00ad", "a\u00adb", "a\u200bb", "\u3000a\u3000", "a\u00a0b", "a\u2028b", "़"),
    *(
        "don't",
        "...",
        "…",
        "—–-‐",
        "¡¿",
        "№ ™ ℠",
        "１２３",
        "𝔘𝔫𝔦",
        "𠀀丂",
        "漢字かな漢",
        "한국어 漢字",
    ),
)


def settings() -> list[dict[str, Any]]:
    """Every combination of the switches, and a few more that change what a token is."""
    switches = ("lowercase", "strip_accents", "split_on_cjk", "special_tokens_in_strings")
    found: list[dict[str, Any]] = [
        dict(zip(switches, values)) for values in product((False, True), repeat=4)
    ]
    found += [
        {"split": False, "lowercase": low, "strip_accents": strip}
        for low, strip in product((False, True), repeat=2)
    ]
    own = {"special_tokens": list(OWN), "special_tokens_in_strings": True}
    found += [own | {"lowercase": low} for low in (False, True)]
    found += [{"suffix_indicator": "", "lowercase": True}, {"suffix_indicator": "e"}]
    return found


def without_tensorflow_text() -> None:
    """Have keras_hub make tokenizers without a second one of tensorflow_text's in each.

    It is for ``tf.data`` alone, takes long to make, and cannot be made of some vocabularies.
    """
    from keras_hub.src.tokenizers import word_piece_tokenizer

    word_piece_tokenizer.tf_text = None


def pieces_of(texts: Sequence[str], random: Random) -> list[str]:
    """Two thirds of what the texts consist of: characters, beginnings and ends of words."""
    sample = " ".join(texts)
    forms = (sample, unicodedata.normalize("NFKC", sample).casefold())
    characters = sorted(set().union(*forms, unicodedata.normalize("NFD", sample)))
    words = sorted({word[:120] for form in forms for word in form.split()})
    pieces = [*characters, *(w[:2] for w in words), *words, *(w[:-1] for w in words)]
    pieces += [f"##{c}" for c in characters] + [f"##{word[-2:]}" for word in words]
    return [piece for piece in pieces if piece and random.random() < 2 / 3]


def long_words() -> Iterator[str]:
    """Words of 98 to 102 bytes, alone and after another."""
    for letter in ("a", "Q", "é", "E\u0301", "ß", "漢", "ก", "𝔘", "İ", "ﬁ", "\u00ad", "ﷺ"):
        size = len(letter.encode())
        for length in range(98, 103):
            word = letter * (length // size) + "a" * (length % size)
            yield word
            yield f"the {word} {word.upper()}."


def drawn(random: Random) -> str:
    """A text of some pieces, most from two ranges of Unicode."""
    ranges = random.choices(_RANGES, k=2)
    pieces = [_piece(random, ranges) for _ in range(random.randint(1, 13))]
    return random.choice((" ", "", random.choice(_SPACES))).join(pieces)


def _piece(random: Random, ranges: list[tuple[int, int]]) -> str:
    pool, most = random.choice(_POOLS)
    if pool:
        return "".join(random.choices(pool, k=random.randint(1, most)))
    low, high = random.choice(ranges)
    return "".join(chr(random.randrange(low, high)) for _ in range(random.randint(1, most)))
