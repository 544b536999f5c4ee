"""Why two tokenizers give other ids: changes to the texts, tried on whichever side is at hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import permutations
from typing import Final, Literal, NamedTuple

from npbert.parity.mistakes.texts import CHANGES, FIXES, Change, Ids, relation
from npbert.parity.types import Source, Tokens

TOKENS: Final = "text.tokens"
"""Where a cause begins that is the tokenizer's."""

One = Literal["a", "b"]
_SIDES: Final[tuple[tuple[One, One], ...]] = (("a", "b"), ("b", "a"))


class TextFound(NamedTuple):
    """A cause of other tokens."""

    cause: str
    says: str
    fix: str
    before: int
    """Texts whose tokens differ."""
    after: int
    """And that still do when this and what comes before it are allowed for."""


def explain_tokens(texts: Sequence[str], a: Source, b: Source) -> list[TextFound]:
    """What explains the different tokens of these texts; empty if nothing known does."""
    shown = {"a": a.tokenize(texts), "b": b.tokenize(texts)}
    tokens = {side: each for side, each in shown.items() if each is not None}
    if len(tokens) < 2:
        return []
    before = _differing(tokens["a"].ids, tokens["b"].ids)
    if _tokens_alike(tokens["a"], tokens["b"]):
        says = "b's vocabulary has other ids for the same tokens as a's"
        return [TextFound("vocabulary", says, FIXES["vocabulary"], before, 0)]
    best: list[TextFound] = []
    for changes in _orders():
        for does, lacks in _SIDES:
            source = b if lacks == "b" else a
            changed = _changed(source, texts, changes) if changes else tokens[lacks]
            if changed is None:
                continue
            found = _explained(changes, (does, lacks), tokens, changed, before)
            if found and found[-1].after == 0:
                return found
            if found and (not best or found[-1].after < best[-1].after):
                best = found
    return best


def _orders() -> Iterator[tuple[Change, ...]]:
    """No change, one, and two: the simplest explanation first."""
    yield ()
    yield from ((change,) for change in CHANGES)
    yield from permutations(CHANGES, 2)


def _changed(source: Source, texts: Sequence[str], changes: Sequence[Change]) -> Tokens | None:
    if source.recorded is not None:
        return None
    changed = list(texts)
    for each in changes:
        changed = [each.change(text) for text in changed]
    return source.tokenize(changed)


def _explained(
    changes: Sequence[Change],
    sides: tuple[One, One],
    tokens: dict[str, Tokens],
    changed: Tokens,
    before: int,
) -> list[TextFound]:
    """The changes, and what is left to be said of the ids; empty if that breaks a text."""
    does, lacks = sides
    right, was = [list(map(list, tokens[side].ids)) for side in sides]
    now = list(map(list, changed.ids))
    if any(x == y != z for x, y, z in zip(right, was, now)) or (changes and now == was):
        return []
    after = _differing(right, now)
    found = [
        TextFound(
            each.key, f"{lacks} does not {each.does}, and {does} does", each.fix, before, after
        )
        for each in changes
    ]
    rest = relation(right, now) if after else None
    if after == before and not rest:
        return []
    if rest:
        found.append(TextFound(rest.key, f"{lacks} {rest.says}", FIXES[rest.key], before, 0))
    return found


def _differing(a: Sequence[Ids], b: Sequence[Ids]) -> int:
    return sum(list(x) != list(y) for x, y in zip(a, b))


def _tokens_alike(a: Tokens, b: Tokens) -> bool:
    """The same tokens under other ids, each under one."""
    if [list(row) for row in a.tokens] != [list(row) for row in b.tokens]:
        return False
    pairs = {(i, j) for x, y in zip(a.ids, b.ids) for i, j in zip(x, y)}
    return len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)
