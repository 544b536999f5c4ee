from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from npbert.ops.attention import Attention
from npbert.ops.feed_forward import FeedForward
from npbert.teaching.calling import Trouble
from npbert.teaching.cases import Case, cases, checked, distance, plain, same
from npbert.teaching.exercises import EXERCISES


def test_the_model_uses_each_op_where_the_reference_does():
    places = {
        name: [case.place.stage for case in cases(exercise) if case.real]
        for name, exercise in EXERCISES.items()
        if not exercise.texts
    }
    assert places["softmax"] == ["layer.0.probs", "layer.1.probs"]
    assert places["pooler"] == ["pooled_output"]
    assert len(places["layer_norm"]) == 5
    assert len(places["split_heads"]) == 6
    assert places["cosine"] == places["gelu_erf"] == []  # the toy has neither


@pytest.mark.parametrize("name", [*EXERCISES])
def test_the_right_result_is_the_models_own_stage(name):
    for case in cases(EXERCISES[name]):
        if case.real and case.place.stage in case.model.stages:
            np.testing.assert_allclose(
                case.right, case.model.stages[case.place.stage], rtol=1e-12, atol=1e-12
            )


def test_what_a_masked_query_receives_does_not_count():
    case = next(cases(EXERCISES["attention"]))
    assert case.kept.shape == case.right.shape
    changed = np.where(case.kept, case.right, 99)
    assert same(case, changed, case.right)
    assert not same(case._replace(kept=None), changed, case.right)


def test_no_two_dimensions_are_taken_for_each_other():
    B, T = next(cases(EXERCISES["softmax"])).arguments[1].shape
    assert (B, T) == (3, 17)


def test_distance():
    case = Case((), np.array([1.0, 2.0]))
    assert distance(case, np.array([1.0, 2.5]), case.right) == 0.5
    assert distance(case, np.array([1.0]), case.right) == np.inf
    assert distance(case, np.array([1.0, np.nan]), case.right) == np.inf
    assert distance(case, np.array([np.nan, np.inf]), np.array([np.nan, np.inf])) == 0
    assert distance(Case((), ["a"]), ("a",), ["a"]) == 0
    assert distance(Case((), ["a"]), ["b"], ["a"]) == np.inf


def test_steps_are_taken_for_their_last():
    assert plain(Attention(np.ones(1), np.ones(2), np.ones(3))).shape == (3,)
    assert plain(FeedForward(*map(np.ones, (1, 2, 3)))).shape == (3,)
    assert plain(2.5).shape == ()
    assert plain(["a"]) == ["a"]


def test_names_of_a_learners_own_say_nothing_about_the_last():
    class Found(NamedTuple):
        context: np.ndarray
        probs: np.ndarray

    found = checked(Found(np.ones((2, 3)), np.ones((2, 2))), np.ones((2, 3)))
    assert found.says == "returns a Found, where an array of numbers is expected"
    assert checked(Found([1], [2]), ([1], [2])) == [[1], [2]]


def test_lists_are_arrays_too():
    right = np.ones((2, 3))
    assert checked([[1, 1, 1], [1, 1, 1]], right).shape == (2, 3)
    assert checked((np.array([1]), [2]), ([1], [2])) == [[1], [2]]


@pytest.mark.parametrize(
    ("result", "says"),
    [
        ("text", "returns <U4 values, where an array of numbers is expected"),
        ([[1, 2], [3]], "returns a list, where an array of numbers is expected"),
        ({1: 2}, "returns a dict, where an array of numbers is expected"),
        (np.ones(3, complex), "returns complex128 values, where an array of numbers is expected"),
    ],
)
def test_no_array_of_numbers(result, says):
    trouble = checked(result, np.ones(3))
    assert isinstance(trouble, Trouble)
    assert trouble.says == says
