"""Texts in many scripts, and a vocabulary, to compare tokenizers with: drawn from one seed."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from golden.minilm import model_dir
from golden.token_texts import OWN, TRICKY, drawn, long_words, pieces_of
from npbert.bench.texts import make

COUNT: Final = 20_000

_LOCALES: Final = (
    *("ar", "hy", "as", "bn", "my", "zh", "zh_Hant", "cs", "am", "ka", "el", "gu", "he", "hi"),
    *("ja", "kn", "km", "ko", "lo", "ml", "mr", "mn", "ne", "or", "fa", "pa", "ru", "sd", "si"),
    *("ta", "te", "th", "bo", "tr", "uk", "ur", "ug", "vi", "yi", "ii", "chr", "vai", "zgh", "lt"),
)


def texts(seed: int, count: int = COUNT) -> list[str]:
    """``count`` texts: about half of them written by somebody, the rest drawn."""
    random = Random(seed)
    found = [*TRICKY, *long_words(), *make(1500, seed), *_of_locales()]
    return [*found, *(drawn(random) for _ in range(count - len(found)))]


def vocabulary(seed: int, found: list[str]) -> list[str]:
    """That of all-MiniLM-L6-v2, and what some of the texts consist of."""
    tokens = (model_dir() / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    sample = found[:: len(found) // 1500]
    return list(dict.fromkeys([*tokens, *OWN, *pieces_of(sample, Random(seed))]))


def pairs(found: list[str]) -> tuple[list[str], list[str]]:
    """First and second segments out of the texts."""
    return found[:500], found[500:1000][::-1]


def _of_locales() -> Iterator[str]:
    """Names of languages, places and days in many scripts."""
    from babel import Locale

    for name in _LOCALES:
        locale = Locale.parse(name)
        yield " ".join(locale.months["format"]["wide"].values())
        yield ", ".join(locale.days["format"]["wide"].values())
        for names in (locale.languages, locale.territories):
            values = list(names.values())
            yield from (" ".join(values[i : i + 4]) for i in range(0, min(len(values), 280), 4))
