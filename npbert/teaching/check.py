"""`npbert.check`: a learner's function inside the real model, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from npbert.config import unknown_name
from npbert.errors import InputTypeError
from npbert.teaching.calling import Trouble, call, copied
from npbert.teaching.cases import Case, cases, checked, distance, plain, same
from npbert.teaching.effect import effect
from npbert.teaching.exercise import Exercise
from npbert.teaching.exercises import EXERCISES
from npbert.teaching.naming import Named, name_mistake
from npbert.teaching.verdict import Example, Verdict

COLUMNS: Final = 8
"""So much of a row fits on a line."""


def check(name: str, mine: Callable[..., Any]) -> Verdict:
    """Whether a function does what an op of BERT does; if not, why.

    The function takes the op's place everywhere in a small trained BERT (`npbert.teaching.toy`),
    and is given what the op is given there; what has no place in it is tried on words, ids or
    numbers of its own. If something else comes out, it is compared with that of every mistake that
    learners make or that `npbert.parity` knows, and the one that gives exactly this is named. Right
    answers may be in float32, and written in any way.

    Args:
        name: what it is to be: ``"layer_norm"``; an unknown one is an error that lists all.
        mine: the function. It is given NumPy arrays of float64, in the order of the definition in
            `npbert.ops`, and returns one array. ``"wordpiece"`` and ``"pack_pair"`` are given
            Python's own strings, sets, lists and integers, and return lists.

    Returns:
        A verdict, which is true if the function is right.

    Raises:
        ConfigError: there is no exercise of this name.
        InputTypeError: ``name`` is no text, or ``mine`` no function.

    Example:
        >>> npbert.check("softmax", lambda scores, mask: scores)
    """
    if not isinstance(name, str):
        raise InputTypeError(
            "an exercise is named by a text.",
            where="npbert.check(name, ...)",
            received=f"{type(name).__name__}",
            expected="one of " + ", ".join(EXERCISES),
        )
    if name not in EXERCISES:
        raise unknown_name("exercise", name, [*EXERCISES])
    if not callable(mine):
        raise InputTypeError(
            "a function is to be checked.",
            where=f"npbert.check({name!r}, ...)",
            received=f"{type(mine).__name__}",
            expected=EXERCISES[name].call,
            fix="pass the function itself, without calling it",
        )
    exercise = EXERCISES[name]
    made: list[Case] = []
    results: list[Any] = []
    for case in cases(exercise):
        result = _result(exercise, mine, case)
        if isinstance(result, Trouble):
            return _troubled(exercise, case, result)
        made.append(case)
        results.append(result)
    wrong = [i for i, case in enumerate(made) if not same(case, results[i], case.right)]
    if not wrong:
        return _right(exercise, made)
    return _wrong(exercise, mine, made, results, wrong[0])


def _result(exercise: Exercise, mine: Callable[..., Any], case: Case) -> Any | Trouble:
    result = call(mine, exercise, case.arguments)
    return result if isinstance(result, Trouble) else checked(result, case.right)


def _right(exercise: Exercise, made: Sequence[Case]) -> Verdict:
    places = sum(case.real for case in made)
    where = f"in all {places} places where it stands" if places > 1 else "where it stands"
    sentence = f"Your {exercise.name} is right: it gives the real model's numbers {where}."
    if not places:
        sentence = (
            f"Your {exercise.name} is right: it gives npbert's results wherever it was tried."
        )
    return Verdict(exercise.name, True, sentence, read=exercise.read)


def _troubled(exercise: Exercise, case: Case, trouble: Trouble) -> Verdict:
    where = f"called for {case.place.stage} of the toy BERT" if case.real and case.place else None
    return Verdict(
        exercise.name,
        False,
        f"Your {exercise.name} {trouble.says}.",
        cause=trouble.key,
        fix=trouble.fix,
        where=f"{where}; shapes {exercise.shapes}" if where else exercise.shapes,
        read=exercise.read,
    )


def _wrong(
    exercise: Exercise,
    mine: Callable[..., Any],
    made: Sequence[Case],
    results: Sequence[Any],
    first: int,
) -> Verdict:
    found = name_mistake(exercise, made, results) or _other_shape(made[first], results[first])
    case, result = made[first], results[first]
    stage = case.place.stage if case.real and case.place else None
    at = f": first wrong at {stage}" if stage else ""
    says = found.says if found else f"is not right, and it is no mistake I know{at}"
    return Verdict(
        exercise.name,
        False,
        f"Your {exercise.name} {says}.",
        cause=found.key if found else None,
        fix=found.fix if found else None,
        stage=stage,
        where=_where(case, result),
        effect=effect(exercise, mine) if case.real else None,
        example=_tiny(exercise, mine) or _row(exercise, case, result),
        read=exercise.read,
    )


def _other_shape(case: Case, result: Any) -> Named | None:
    if not isinstance(case.right, np.ndarray) or result.shape == case.right.shape:
        return None
    says = f"returns the shape {result.shape}, where {case.right.shape} is expected"
    return Named("shape", says, "print the shape after each step")


def _where(case: Case, result: Any) -> str:
    if case.place is None:
        return "in a case of its own, below"
    apart = distance(case, result, case.right)
    off = f"off by up to {apart:.2g}" if np.isfinite(apart) else "not comparable"
    if np.shape(result) != np.shape(case.right):
        off = f"of shape {np.shape(result)}, not {np.shape(case.right)}"
    if case.real:
        return f"first at {case.place.stage} of the toy BERT, {off}"
    return f"not in the toy BERT's own numbers, but in others made of them: {off}"


def _tiny(exercise: Exercise, mine: Callable[..., Any]) -> Example | None:
    """The exercise's own small call, if it shows the mistake."""
    case = Case(exercise.tiny, plain(exercise.right(*exercise.tiny)))
    result = _result(exercise, mine, case)
    if isinstance(result, Trouble) or same(case, result, case.right):
        return None
    return Example(_named(exercise, exercise.tiny), case.right, result)


def _named(exercise: Exercise, arguments: tuple[Any, ...]) -> tuple[tuple[str, Any], ...]:
    """Copies, which are the reader's to keep; of a vocabulary, what is in the word."""
    shown = dict(zip(exercise.parameters, map(copied, arguments)))
    if "vocabulary" in shown:
        word, vocabulary = shown["word"], shown.pop("vocabulary")
        shown["of vocabulary"] = {t for t in vocabulary if t.removeprefix("##") in word}
    return tuple(shown.items())


def _row(exercise: Exercise, case: Case, result: Any) -> Example | None:
    """The call itself, if it is about texts; of arrays, what is around the largest error."""
    if not isinstance(case.right, np.ndarray):
        return Example(_named(exercise, case.arguments), case.right, result)
    if np.shape(result) != case.right.shape:
        return None
    apart = np.nan_to_num(np.abs(np.asarray(result, np.float64) - case.right), nan=np.inf)
    if case.kept is not None:
        apart = np.where(case.kept, apart, 0)
    *row, column = (int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))
    first = max(0, min(column - COLUMNS // 2, apart.shape[-1] - COLUMNS))
    shown = range(first, min(first + COLUMNS, apart.shape[-1]))
    at: tuple[int | slice, ...] = (*row, slice(shown.start, shown.stop))
    return Example((("row", tuple(row)), ("columns", shown)), case.right[at], result[at])
