from __future__ import annotations

from pathlib import Path

import numpy as np

from npbert.teaching.exercise import Place
from npbert.teaching.exercises import EXERCISES

ROOT = Path(__file__).parents[2]


def test_each_says_how_it_is_called_and_where_npbert_does_it():
    for name, exercise in EXERCISES.items():
        assert exercise.name == name
        assert exercise.call.startswith(f"{name}(")
        assert len(exercise.parameters) == len(exercise.tiny)
        assert (ROOT / exercise.read).is_file()


def test_every_mistake_has_a_remedy():
    for exercise in EXERCISES.values():
        for mistake in exercise.mistakes:
            assert mistake.fix
            assert not mistake.says.endswith(".")


def test_a_place_makes_a_step_of_a_function():
    assert Place("out", ("a", "b")).step(np.add).op(1, 2) == 3
    place = Place("out", ("a",), ("w",), lambda a, w: (a + w, 3))
    step = place.step(lambda x, n: x * n)
    assert (step.inputs, step.weights) == (("a",), ("w",))
    assert step.op(np.ones(2), 1).tolist() == [6, 6]
