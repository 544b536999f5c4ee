"""`npbert.check`: a learner's function inside the real model, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from npbert.config import unknown_name
from npbert.errors import InputTypeError
from npbert.teaching.calling import Trouble, call
from npbert.teaching.cases import Case, cases, checked, distance, plain, same
from npbert.teaching.effect import effect
from npbert.teaching.exercise import Exercise
from npbert.teaching.exercises import EXERCISES
from npbert.teaching.naming import Named, name_mistake
from npbert.teaching.verdict import Example, Verdict


def check(name: str, mine: Callable[..., Any]) -> Verdict:
    """Whether a function does what an op of BERT does; if not, why.

    The function takes the op's place everywhere in a small trained BERT (`npbert.teaching.toy`),
    and is given what the op is given there. If other numbers come out, they are compared with those
    of every mistake that learners make or that `npbert.parity` knows, and the one that gives
    exactly these numbers is named. Right answers may be in float32, and written in any way.

    Args:
        name: what it is to be: ``"layer_norm"``; an unknown one is an error that lists all.
        mine: the function. It is given NumPy arrays of float64, in the order of the definition in
            `npbert.ops`, and returns one array.

    Returns:
        A verdict, which is true if the function is right.

    Raises:
        ConfigError: there is no exercise of this name.
        InputTypeError: ``mine`` is no function.

    Example:
        >>> npbert.check("softmax", lambda scores, mask: scores)
    """
    if name not in EXERCISES:
        raise unknown_name("exercise", str(name), [*EXERCISES])
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
    result = call(mine, exercise.call, case.arguments, limited=exercise.texts)
    return result if isinstance(result, Trouble) else checked(result, case.right)


def _right(exercise: Exercise, made: Sequence[Case]) -> Verdict:
    places = sum(case.real for case in made)
    where = f"in all {places} places where it stands" if places > 1 else "where it stands"
    sentence = f"Your {exercise.name} is right: it gives the real model's numbers {where}."
    if not places:
        sentence = f"Your {exercise.name} is right: it gives npbert's results in {len(made)} cases."
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
    return f"not in the toy BERT's own numbers, but where they are changed to show it: {off}"


def _tiny(exercise: Exercise, mine: Callable[..., Any]) -> Example | None:
    """The exercise's own small call, if it shows the mistake."""
    case = Case(exercise.tiny, plain(exercise.right(*exercise.tiny)))
    result = _result(exercise, mine, case)
    if isinstance(result, Trouble) or same(case, result, case.right):
        return None
    return Example(_named(exercise, exercise.tiny), case.right, result)


def _named(exercise: Exercise, arguments: tuple[Any, ...]) -> tuple[tuple[str, Any], ...]:
    names = exercise.call.partition("(")[2].rstrip(")").split(", ")
    return tuple(zip(names, arguments))


def _row(exercise: Exercise, case: Case, result: Any) -> Example | None:
    """The call itself, if it is about texts; of arrays, the row that is off most."""
    if not isinstance(case.right, np.ndarray):
        return Example(_named(exercise, case.arguments), case.right, result)
    if np.shape(result) != case.right.shape:
        return None
    apart = np.nan_to_num(np.abs(np.asarray(result, np.float64) - case.right), nan=np.inf)
    if case.kept is not None:
        apart = np.where(case.kept, apart, 0)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(apart)), apart.shape))[:-1]
    given = (("row", index),)
    return Example(given, case.right[index][:8], np.asarray(result)[index][:8])
