"""Token ids against token ids: most differences between embeddings begin here."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from npbert.parity.types import Side, TokenReport, Tokens

T = TypeVar("T")


def compare_tokens(texts: Sequence[str], a: Tokens, b: Tokens) -> TokenReport:
    """How many texts become other ids, and what is wrong with the first of them.

    Offsets decide nothing, for no model sees them; they tell which characters a token stands for.
    """
    different = [i for i in range(len(texts)) if _given(a, i) != _given(b, i)]
    same = [i for i in range(len(texts)) if _given(a, i) == _given(b, i)]
    offsets = 0
    if a.offsets and b.offsets:
        offsets = sum(list(a.offsets[i]) != list(b.offsets[i]) for i in same)
    if not different:
        return TokenReport(len(texts), 0, offsets=offsets)
    i = different[0]
    position = _first(a, b, i)
    return TokenReport(
        texts=len(texts),
        different=len(different),
        text=texts[i],
        position=position,
        tokens=(_at(a.tokens[i], position), _at(b.tokens[i], position)),
        ids=(_at(a.ids[i], position), _at(b.ids[i], position)),
        characters=_characters(texts[i], a, b, i, position),
        lengths=(len(a.ids[i]), len(b.ids[i])),
        truncated=_truncated(a.ids[i], b.ids[i], position),
        offsets=offsets,
    )


def _given(tokens: Tokens, i: int) -> list[int]:
    return list(map(int, tokens.ids[i]))


def _first(a: Tokens, b: Tokens, i: int) -> int:
    """The first position that differs; of a row that only goes on, where the other ends."""
    pairs = list(zip(a.ids[i], b.ids[i]))
    return next((at for at, (x, y) in enumerate(pairs) if x != y), len(pairs))


def _at(row: Sequence[T], position: int) -> T | None:
    return row[position] if position < len(row) else None


def _truncated(a: Sequence[int], b: Sequence[int], position: int) -> Side | None:
    """The side that is the other's beginning and then only its last token, as a cut text is."""
    sides: tuple[tuple[Side, Sequence[int], Sequence[int]], ...] = (("a", a, b), ("b", b, a))
    for side, short, long in sides:
        if len(short) < len(long) and position >= len(short) - 1 and short[-1:] == long[-1:]:
            return side
    return None


def _characters(text: str, a: Tokens, b: Tokens, i: int, position: int) -> str | None:
    """What of the text the two tokens stand for; None if no side knows."""
    known = [side.offsets[i] for side in (a, b) if side.offsets]
    spans = [offsets[position] for offsets in known if position < len(offsets)]
    spans = [(start, end) for start, end in spans if end > start]
    if not spans:
        return None
    return text[min(start for start, _ in spans) : max(end for _, end in spans)]
