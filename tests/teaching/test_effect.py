from __future__ import annotations

import numpy as np

from npbert.teaching.effect import effect
from npbert.teaching.exercises import EXERCISES


def test_another_word():
    said = effect(EXERCISES["softmax"], lambda scores, mask: -scores)
    assert said.startswith('with yours, the toy BERT fills "she put money in the [MASK]." with "')
    assert said.endswith('", not "bank"')


def test_the_same_word():
    said = effect(EXERCISES["gelu"], lambda x: 1.001 * EXERCISES["gelu"].right(x))
    assert said.startswith('the toy BERT still fills "she put money in the [MASK]." with "bank"')


def test_nothing_where_the_model_ends_before():
    assert effect(EXERCISES["mean_pooling"], lambda x, mask: x[:, 0]) is None


def test_nan_is_no_word():
    said = effect(EXERCISES["gelu"], lambda x: np.where(x > 1, np.nan, x))
    assert said.endswith("with nothing: its vectors become NaN")


def test_the_toy_is_not_changed():
    def in_place(x, num_heads):
        x *= 0
        return x.reshape(*x.shape[:2], num_heads, -1)

    assert effect(EXERCISES["split_heads"], in_place) is None


def test_nothing_where_the_function_fails():
    def fails(x):
        raise RuntimeError

    assert effect(EXERCISES["gelu"], fails) is None
    assert effect(EXERCISES["gelu"], lambda x: np.ones(3)) is None
