"""The cosine of pairs of vectors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npbert.errors import InputError, InputTypeError
from npbert.tasks.similarity import cosine_similarity

RANDOM = np.random.default_rng(5)


def draw(rows: int, width: int, scale: float = 1.0) -> np.ndarray:
    return (scale * RANDOM.standard_normal((rows, width))).astype(np.float32)


def definition(a: np.ndarray, b: np.ndarray) -> np.ndarray:  # (A, D), (B, D) -> (A, B)
    a, b = (
        x.astype(np.float64) / np.linalg.norm(x.astype(np.float64), axis=1)[:, None] for x in (a, b)
    )
    return a @ b.T


@pytest.mark.kernel
@settings(deadline=None, max_examples=40)
@given(st.integers(1, 9), st.integers(1, 50), st.integers(1, 300), st.sampled_from([1e-3, 1, 1e4]))
def test_it_is_the_cosine(A: int, B: int, D: int, scale: float) -> None:
    a, b = draw(A, D, scale), draw(B, D)
    cosines = cosine_similarity(a, b)
    assert (cosines.shape, cosines.dtype) == ((A, B), np.float32)
    np.testing.assert_allclose(cosines, definition(a, b), rtol=0, atol=1e-6)


@pytest.mark.kernel
def test_bits_depend_on_the_two_vectors_alone() -> None:
    a, b = draw(7, 37), draw(50, 37)
    together = cosine_similarity(a, b)
    for i in range(7):
        for j in range(0, 50, 11):
            assert cosine_similarity(a[i], b[j]).tobytes() == together[i, j].tobytes()
    assert cosine_similarity(b, a).tobytes() == np.ascontiguousarray(together.T).tobytes()


@pytest.mark.kernel
def test_one_vector_is_one_row_and_zeros_are_like_nothing() -> None:
    a = draw(3, 20)
    a[1] = 0
    assert cosine_similarity(a[0], a).shape == (1, 3)
    assert cosine_similarity(a, a)[1].tolist() == [0, 0, 0]


@pytest.mark.kernel
def test_other_real_dtypes_and_layouts() -> None:
    a = draw(5, 18)
    expected = cosine_similarity(a, a)
    for same in (a.astype(np.float64), np.asfortranarray(a), a.tolist(), a.astype(">f4")):
        assert cosine_similarity(same, same).tobytes() == expected.tobytes()
    assert cosine_similarity([[1, 0]], [[0, 3], [2, 0]]).tolist() == [[0, 1]]


@pytest.mark.parametrize(("A", "B", "D"), [(0, 3, 5), (3, 0, 5), (0, 0, 5), (2, 3, 0)])
def test_nothing_to_compare(A: int, B: int, D: int) -> None:
    assert cosine_similarity(np.zeros((A, D)), np.zeros((B, D))).tolist() == [[0] * B] * A


def test_different_widths() -> None:
    with pytest.raises(InputError, match=r"different widths[\s\S]*a \(2, 5\), b \(3, 6\)"):
        cosine_similarity(draw(2, 5), draw(3, 6))


@pytest.mark.parametrize("wrong", [["mill", "house"], [None], np.array([1j]), [True]])
def test_not_numbers(wrong: Any) -> None:
    with pytest.raises(InputTypeError, match="b must hold real numbers"):
        cosine_similarity(draw(2, 5), wrong)


def test_ragged_and_three_axes() -> None:
    with pytest.raises(InputTypeError, match="a cannot be read as an array"):
        cosine_similarity([[1.0], [1.0, 2.0]], draw(2, 5))
    with pytest.raises(InputError, match="a must have one axis or two"):
        cosine_similarity(np.zeros((2, 3, 4)), draw(2, 5))
