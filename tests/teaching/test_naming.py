from __future__ import annotations

import numpy as np
import pytest

import npbert
from npbert.teaching.cases import cases, plain
from npbert.teaching.exercises import EXERCISES
from npbert.teaching.naming import name_mistake


def named(name, function):
    made = list(cases(EXERCISES[name]))
    return name_mistake(EXERCISES[name], made, [function(*case.arguments) for case in made])


SAME_NUMBERS = {
    ("layer_norm_epsilon", "layer_norm_epsilon_outside"),  # where it is too small to be seen
    ("head_split", "head_order"),  # parity sees the kernel as well
    ("queries_masked", "mask_missing"),  # of masked queries nothing counts
}


@pytest.mark.parametrize("name", EXERCISES)
def test_parity_and_the_exercises_have_one_name_for_one_mistake(name):
    exercise = EXERCISES[name]
    made = list(cases(exercise))
    for mistake in exercise.mistakes:
        with np.errstate(all="ignore"):
            results = [plain(mistake.function(*case.arguments)) for case in made]
        found = name_mistake(exercise._replace(mistakes=()), made, results)
        if found and found.key not in (mistake.key, "nan"):
            assert (mistake.key, found.key) in SAME_NUMBERS


def test_what_only_parity_knows_has_a_fix_for_who_writes_the_op():
    found = named("gelu", lambda x: np.maximum(x, 0))
    assert found.key == "relu"
    assert found.says.startswith("is ReLU, where the tanh GELU")
    assert found.fix == "use GELU"


def test_a_step_inside_is_named():
    found = named("pooler", lambda x, kernel, bias: np.tanh(x[:, 0] @ kernel))
    assert found.says == "lacks the bias"
    found = named(
        "attention", lambda q, k, v, m: np.swapaxes(np.swapaxes(q, 1, 2) @ q[0, 0, 0], 1, 2)
    )
    assert found is None


def test_nan_is_said_where_nothing_is_known():
    found = named("gelu", lambda x: np.where(x > 1, np.nan, x))
    assert found.key == "nan"
    assert found.says.startswith("gives NaN in ")


@pytest.mark.parametrize("name", [n for n, exercise in EXERCISES.items() if not exercise.texts])
def test_half_precision_is_said(name):
    def half(*arguments):
        halves = [x.astype(np.float16) if is_float(x) else x for x in arguments]
        return np.float16(plain(EXERCISES[name].right(*halves)))

    assert npbert.check(name, half).cause == "float16"


def is_float(x):
    return isinstance(x, np.ndarray) and x.dtype.kind == "f"


@pytest.mark.parametrize("wrong", [np.cos, lambda x: 1.5 * EXERCISES["gelu"].right(x)])
def test_half_precision_is_not_blamed_for_what_it_does_not_do(wrong):
    verdict = npbert.check("gelu", lambda x: wrong(x).astype(np.float16))
    assert not verdict
    assert verdict.cause is None
