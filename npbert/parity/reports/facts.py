"""What a report says beside its stages, as pairs of a name and a line of text."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from npbert.parity.reports.words import (
    SIDES,
    counted,
    number,
    shortened,
    stage_of,
    times,
    visible,
)
from npbert.parity.types import Difference, Ranking, Report, StageReport, TokenReport

Fact = tuple[str, str]


def facts(report: Report) -> list[Fact]:
    """What was compared, and what came of it, the most telling first."""
    return [
        ("a", named(report.a)),
        ("b", named(report.b)),
        *_of_first(report),
        *_of_weights(report),
        *_of_tokens(report),
        *_of_ranking(report.ranking),
        *_of_tolerance(report),
    ]


def named(side: Mapping[str, Any]) -> str:
    """A side's name and kind."""
    return f"{visible(str(side.get('name')))} ({side.get('kind')})"


def _of_first(report: Report) -> Iterator[Fact]:
    first, guilty = (stage_of(report, name) for name in (report.first, report.guilty))
    if first is not None:
        yield "first to differ", f"{first.stage}: {of_stage(first)}"
    if guilty is not None:
        yield "made here", f"{guilty.stage}, on its own input: {_both(guilty.local)}"
    if report.side is not None:
        yield "who is off", f"{SIDES[report.side]}, from float64 on the weights of a"


def of_stage(stage: StageReport) -> str:
    """All numbers of one stage."""
    found = stage.difference
    if found is None:
        return f"shapes {stage.shapes[0]} and {stage.shapes[1]}"
    return f"{of_difference(found)}; {stage.outside:.2%} of {found.count:,} values are outside"


def of_difference(found: Difference) -> str:
    """Where two arrays are furthest apart, and how far in every measure."""
    broken = f"; NaN or infinite: {found.not_finite[0]} and {found.not_finite[1]}"
    return (
        f"{number(found.max_abs)} at {list(found.index)}, {found.value_a:.7g} and"
        f" {found.value_b:.7g}; mean {number(found.mean_abs)}, 99% below {number(found.p99)},"
        f" relative {number(found.max_rel)}, ULP {number(found.ulp_max)} (99%"
        f" {number(found.ulp_p99)}), cosine {found.cosine_min:.9f}"
        f"{broken if any(found.not_finite) else ''}"
    )


def relations(report: Report) -> dict[str, list[str]]:
    """What became of the weights -> the names of those of which that is true, most first."""
    found: dict[str, list[str]] = {}
    for weight in report.weights or ():
        found.setdefault(weight.relation, []).append(weight.name)
    return dict(sorted(found.items(), key=lambda pair: -len(pair[1])))


def _of_weights(report: Report) -> Iterator[Fact]:
    found = relations(report)
    if found:
        yield "weights", ", ".join(f"{len(names):,} {each}" for each, names in found.items())


def _of_tokens(report: Report) -> Iterator[Fact]:
    tokens = report.tokens
    if tokens is not None and not tokens.different:
        yield "tokens", f"the same for {counted(tokens.texts, 'text')}"
    elif tokens is not None:
        count = f"{tokens.different:,} of {counted(tokens.texts, 'text')} differ"
        yield "tokens", f"{count}; the first is {of_text(tokens)}"


def of_text(tokens: TokenReport) -> str:
    """The first text whose tokens differ, and at which."""
    text = shortened(visible(tokens.text or ""))
    parts = [f"'{text}'", f"at token {tokens.position}: {' and '.join(of_token(tokens))}"]
    if tokens.characters is not None:
        parts.append(f"for '{visible(tokens.characters)}'")
    if tokens.truncated:
        parts.append(f"cut by {SIDES[tokens.truncated]}")
    if tokens.lengths:
        parts.append("{:,} and {:,} tokens".format(*tokens.lengths))
    return ", ".join(parts)


def of_token(tokens: TokenReport) -> list[str]:
    """What each side has at the first token that differs."""
    pairs = zip(tokens.tokens, tokens.ids)
    return ["none" if i is None else f"'{visible(token or '')}' ({i})" for token, i in pairs]


def _of_ranking(ranking: Ranking | None) -> Iterator[Fact]:
    if ranking is None:
        return
    nearest = ", ".join(f"top-{k} overlap {share:.1%}" for k, share in ranking.overlap.items())
    margin, change = number(ranking.smallest_margin), number(ranking.largest_change)
    turn = "no ranking can turn"
    if ranking.smallest_margin <= 2 * ranking.largest_change:
        turn = "the closest rankings may turn"
    yield (
        "rankings",
        f"Spearman {ranking.spearman:.6f} over {counted(ranking.texts, 'text')}, {nearest};"
        f" similarities change by at most {change}, and the smallest margin is {margin}: {turn}",
    )


def _of_tolerance(report: Report) -> Iterator[Fact]:
    scale = report.smallest_scale
    if scale == math.inf:
        yield "tolerance", "none would let this pass"
    elif scale is not None:
        yield "tolerance", f"the smallest that would pass is {times(scale)} times the present one"


def _both(errors: tuple[float | None, float | None]) -> str:
    return f"a {number(errors[0])}, b {number(errors[1])}"
