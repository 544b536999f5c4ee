"""How alike vectors are, by every function that sentence-transformers has."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.tasks.similarity import SIMILARITIES, similarity, similarity_pairwise

RANDOM = np.random.default_rng(5)


def draw(rows: int, width: int, scale: float = 1.0) -> np.ndarray:
    return (scale * RANDOM.standard_normal((rows, width))).astype(np.float32)


def definition(a: np.ndarray, b: np.ndarray, function: str) -> np.ndarray:  # (A, D), (B, D)
    a, b = np.float64(a), np.float64(b)
    if function == "cosine":
        a, b = (x / np.linalg.norm(x, axis=1)[:, None] for x in (a, b))
    if function in ("cosine", "dot"):
        return a @ b.T
    order = 2 if function == "euclidean" else 1
    return -np.linalg.norm(a[:, None] - b, ord=order, axis=-1)


@pytest.mark.kernel
@pytest.mark.parametrize("function", SIMILARITIES)
@settings(deadline=None, max_examples=20)
@given(st.integers(1, 9), st.integers(1, 50), st.integers(1, 300), st.sampled_from([1e-3, 1, 1e4]))
def test_it_is_what_its_name_says(function: str, A: int, B: int, D: int, scale: float) -> None:
    a, b = draw(A, D, scale), draw(B, D)
    found = similarity(a, b, function)
    assert (found.shape, found.dtype) == ((A, B), np.float32)
    expected = definition(a, b, function)
    size = 1 if function == "cosine" else np.abs(expected).max() + scale * np.sqrt(D)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-6 * size)


@pytest.mark.kernel
@pytest.mark.parametrize("function", SIMILARITIES)
def test_bits_depend_on_the_two_vectors_alone(function: str) -> None:
    a, b = draw(7, 137), draw(50, 137)
    together = similarity(a, b, function)
    for i in range(7):
        for j in range(0, 50, 11):
            assert similarity(a[i], b[j], function).tobytes() == together[i, j].tobytes()
    turned = similarity(b, a, function)
    assert turned.tobytes() == np.ascontiguousarray(together.T).tobytes()


@pytest.mark.kernel
@pytest.mark.parametrize("function", SIMILARITIES)
def test_pairs_have_the_bits_of_all_against_all(function: str) -> None:
    a, b = draw(7, 137), draw(7, 137)
    pairs = similarity_pairwise(a, b, function)
    assert (pairs.shape, pairs.dtype) == ((7,), np.float32)
    assert pairs.tobytes() == np.diagonal(similarity(a, b, function)).tobytes()
    assert similarity_pairwise(a[3], b[3], function).tobytes() == pairs[3].tobytes()


@pytest.mark.kernel
def test_one_vector_is_one_row_and_zeros_are_like_nothing() -> None:
    a = draw(3, 20)
    a[1] = 0
    assert similarity(a[0], a).shape == (1, 3)
    assert similarity(a, a)[1].tolist() == [0, 0, 0]


@pytest.mark.kernel
def test_other_real_dtypes_and_layouts() -> None:
    a = draw(5, 18)
    expected = similarity(a, a)
    wide = a.astype(np.float64)
    for same in (np.asfortranarray(a), a.tolist(), a.astype(">f4")):
        for other in (same, wide):  # float64 only where both are
            assert similarity(same, other).tobytes() == expected.tobytes()
    for dtype in (np.float16, ml_dtypes.bfloat16):
        short = a.astype(dtype)
        same = similarity(short.astype(np.float32), a)
        assert similarity(short, a).tobytes() == same.tobytes()
    assert similarity([[1, 0]], [[0, 3], [2, 0]]).tolist() == [[0, 1]]
    assert similarity([[1, 0]], [[0, 3], [2, 0]], "manhattan").tolist() == [[-4, -1]]


@pytest.mark.kernel
@pytest.mark.parametrize("function", SIMILARITIES)
def test_vectors_of_float64(function: str) -> None:
    a, b = np.float64(draw(7, 137)), np.float64(draw(50, 137))
    found = similarity(a, b, function)
    assert found.dtype == np.float64
    expected = definition(a, b, function)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-14 * np.abs(expected).max())
    pairs = similarity_pairwise(a, b[:7], function)
    assert pairs.tobytes() == np.diagonal(found[:, :7]).tobytes()


@pytest.mark.kernel
@pytest.mark.parametrize("function", SIMILARITIES)
@pytest.mark.parametrize(("A", "B", "D"), [(0, 3, 5), (3, 0, 5), (0, 0, 5), (2, 3, 0)])
def test_nothing_to_compare(function: str, A: int, B: int, D: int) -> None:
    a, b = np.zeros((A, D), np.float32), np.zeros((B, D), np.float32)
    assert similarity(a, b, function).tolist() == [[0] * B] * A
    assert similarity_pairwise(a, a, function).tolist() == [0] * A
    exact = similarity(np.float64(a[:0]), np.float64(b), function)
    assert (exact.shape, exact.dtype) == ((0, B), np.float64)


def test_different_widths_and_numbers() -> None:
    for compare in (similarity, similarity_pairwise):
        with pytest.raises(InputError, match=r"different widths[\s\S]*a \(2, 5\), b \(3, 6\)"):
            compare(draw(2, 5), draw(3, 6))
    with pytest.raises(InputError, match=r"as many vectors[\s\S]*a \(2, 5\), b \(3, 5\)"):
        similarity_pairwise(draw(2, 5), draw(3, 5))


@pytest.mark.parametrize("wrong", [["mill", "house"], [None], np.array([1j]), [True]])
def test_not_numbers(wrong: Any) -> None:
    with pytest.raises(InputTypeError, match="b must hold real numbers"):
        similarity(draw(2, 5), wrong)


def test_ragged_and_three_axes() -> None:
    with pytest.raises(InputTypeError, match="a cannot be read as an array"):
        similarity([[1.0], [1.0, 2.0]], draw(2, 5))
    with pytest.raises(InputError, match="a must have one axis or two"):
        similarity(np.zeros((2, 3, 4)), draw(2, 5))


def test_unknown_functions() -> None:
    with pytest.raises(ConfigError, match=r"unknown similarity function 'cosin'[\s\S]*'cosine'"):
        similarity([[1]], [[1]], "cosin")
