from __future__ import annotations

import numpy as np

import npbert
from npbert.teaching.cases import cases
from npbert.teaching.exercises import EXERCISES
from npbert.teaching.naming import name_mistake


def named(name, function):
    made = list(cases(EXERCISES[name]))
    return name_mistake(EXERCISES[name], made, [function(*case.arguments) for case in made])


def test_parity_and_the_exercises_have_one_name_for_one_mistake():
    """What only parity knows is named in its words, and with a fix for who writes the op."""
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


def test_half_precision_is_said():
    def half(x):
        return EXERCISES["gelu"].right(x.astype(np.float16))

    assert npbert.check("gelu", half).cause == "float16"
