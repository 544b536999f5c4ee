"""Which mistake gives a learner's numbers: one that learners make, or one that parity knows.

A mistake is named only if it gives the learner's results in every call that was made. What none
gives is left without a name.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from npbert.parity.causes import CAUSES
from npbert.parity.mistakes import precision
from npbert.parity.mistakes.cause import Offer, Where
from npbert.parity.replay import Replay
from npbert.teaching.cases import Case, distance, plain, same, scale
from npbert.teaching.exercise import Exercise

FALLS: Final = 20.0
"""So much nearer than the right result has the mistake's to be, where the two differ."""

HALF: Final = 2e-2
"""Of the largest value: float16 is off by less, also in a layer norm of rows far from 0."""

_NOT_MADE_HERE: Final = {
    *(cause.key for cause in (precision.CONSTANTS, *precision.CAUSES)),
    "dropout_active",
}
"""What an op of a learner's, given its arguments, cannot be."""

_FIXES: Final = {
    "gelu_erf": "use gelu_approximate: 0.5 x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3)))",
    "gelu_tanh": "use erf: 0.5 x (1 + erf(x / sqrt(2)))",
    **dict.fromkeys(("gelu_quick", "relu", "silu", "tanh"), "use GELU"),
    "activation_missing": "apply GELU",
    "kernel_transposed": "x @ kernel: a kernel is (inputs, outputs), and needs no .T",
    "values_are_keys": "sum up the values: probs @ value",
    "causal_mask": "BERT attends both ways: leave the causal mask out",
    "mask_inverted": "1 keeps and 0 masks",
    **dict.fromkeys(
        ("layer_norm_affine_missing", "layer_norm_gamma_beta_swapped"),
        "multiply by gamma, then add beta",
    ),
    "segment_ids_ignored": "look segments up by their ids: segment_table[segment_ids]",
    "token_rows_off": "look tokens up by their ids as they are: token_table[token_ids]",
}
"""Where a learner, who writes one function, is told otherwise than who compares two models."""


class Named(NamedTuple):
    """A mistake that explains all results: ``says`` goes on from "Your layer_norm"."""

    key: str
    says: str
    fix: str


_OVERFLOW: Final = Named(
    "overflow",
    "is right for small numbers, and gives NaN or infinity for large ones: exp(1000) is infinite",
    "subtract each row's largest score before exp; the shares stay the same",
)


def name_mistake(exercise: Exercise, cases: Sequence[Case], results: Sequence[Any]) -> Named | None:
    """The first mistake in the tables that gives these results; None if none does.

    Where values do not count, as those of masked queries, they may still tell two mistakes apart:
    they are looked at first, and then left out.
    """
    both = list(zip(cases, results))
    if exercise.overflows:
        both = [each for each in both if not _overflows(*each)]
        if all(same(case, result, case.right) for case, result in both):
            return _OVERFLOW
    every = [(case._replace(kept=None), result) for case, result in both]
    return _in_tables(exercise, every) or _in_tables(exercise, both) or _half(both) or _nan(both)


def _overflows(case: Case, result: Any) -> bool:
    """Whether large numbers, in a case made up of such, came out infinite or as NaN."""
    if case.real or not isinstance(result, np.ndarray) or result.dtype.kind != "f":
        return False
    return not np.isfinite(result).all()


def _in_tables(exercise: Exercise, both: Sequence[tuple[Case, Any]]) -> Named | None:
    for mistake in exercise.mistakes:
        if all(_gives(case, result, _attempt(mistake.function, case)) for case, result in both):
            return Named(mistake.key, mistake.says, mistake.fix)
    return _known_to_parity(both)


def _attempt(function: Any, case: Case) -> Any:
    """A mistake's result; None where it cannot be made."""
    try:
        with np.errstate(all="ignore"):
            return plain(function(*case.arguments))
    except (ValueError, IndexError, KeyError, TypeError):
        return None


def _gives(case: Case, result: Any, mistaken: Any) -> bool:
    if mistaken is None or not same(case, result, mistaken) or _says_nothing(mistaken):
        return False
    apart = distance(case, result, case.right)
    return same(case, result, case.right) or distance(case, result, mistaken) * FALLS <= apart


def _says_nothing(result: Any) -> bool:
    """Whether it is NaN throughout, which many mistakes lead to."""
    return isinstance(result, np.ndarray) and bool(np.isnan(result).all())


def _known_to_parity(both: Sequence[tuple[Case, Any]]) -> Named | None:
    """A cause that is found in every call; the first in the order of the model."""
    found: dict[str, Named] | None = None
    for case, result in both:
        if case.place is None:
            return None
        here = dict(_causes(case, result))
        found = here if found is None else {key: found[key] for key in found if key in here}
    return next(iter(found.values())) if found else None


def _causes(case: Case, result: Any) -> Iterator[tuple[str, Named]]:
    """Those that give this result, each under a name that is the same for every place."""
    assert case.place is not None
    assert case.model is not None
    model, stage = case.model, case.place.stage
    replay = Replay(model.steps, model.weights, model.inputs, case.given)
    if stage not in model.steps:
        return
    between = replay.needed(stage)
    for number, at in enumerate(between):
        # Seen is None: an epsilon that is fitted to what is seen fits other mistakes too.
        where = Where(replay.steps, at, model.config, None)
        step = "" if at == stage else f"goes wrong at the {where.kind} step, which "
        for key, offer, fix in _offers(where, between):
            if _gives(case, result, replay.compute(stage, offer.variant)):
                found = Named(key, step + offer.says, _FIXES.get(key, fix))
                yield f"{number} {key} {offer.says}", found


def _offers(where: Where, between: Sequence[str]) -> Iterator[tuple[str, Offer, str]]:
    for cause in CAUSES.values():
        if cause.key not in _NOT_MADE_HERE:
            for offer in cause.at(where):
                if offer.variant.keys() <= set(between):
                    yield cause.key, offer, cause.fix


def _half(both: Sequence[tuple[Case, Any]]) -> Named | None:
    """Numbers of 16 bits, and right as far as these go."""
    for case, result in both:
        if getattr(result, "dtype", None) != np.float16:
            return None
        if distance(case, result, case.right) > HALF * scale(case.right):
            return None
    return Named("float16", "computes in float16, which has three digits", "compute in float32")


def _nan(both: Sequence[tuple[Case, Any]]) -> Named | None:
    """What is true, if not yet why."""
    for case, result in both:
        if isinstance(result, np.ndarray) and result.dtype.kind == "f":
            count = int(np.isnan(result).sum())
            if count and np.isfinite(case.right).all():
                says = f"gives NaN in {count} of {result.size} places"
                return Named(
                    "nan", says, "look for 0 / 0, exp of large numbers and roots of negative ones"
                )
    return None
