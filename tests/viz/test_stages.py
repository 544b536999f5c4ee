"""What the pictures take out of a cache."""

from __future__ import annotations

from typing import Any

import ml_dtypes
import numpy as np
import pytest

from npbert.errors import InputError, InputTypeError
from npbert.viz.stages import check_tokens, index, num_layers, numbers, stage

from .drawn import LAYERS, TOKENS, B, T, small_cache

pytestmark = pytest.mark.kernel


def test_a_row_of_a_stage() -> None:
    found = stage(small_cache(), "embeddings.sum", 1)
    assert found.dtype == np.float64
    np.testing.assert_array_equal(found, small_cache()["embeddings.sum"][1])


def test_names_of_other_libraries() -> None:
    found = stage(small_cache(), "encoder.layer.1.attention.self", 0)
    np.testing.assert_array_equal(found, small_cache()["layer.1.context"][0])


def test_a_stage_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"does not have this stage(.|\n)*layer.7.probs"):
        stage(small_cache(), "layer.7.probs", 0)


@pytest.mark.parametrize("row", [-1, B])
def test_a_row_that_is_not_there(row: int) -> None:
    with pytest.raises(InputError, match=r"there is no such row\.(.|\n)*0 to 1"):
        stage(small_cache(), "embeddings.sum", row)


def test_index() -> None:
    assert index(2, 3, "head") == index(np.int64(2), 3, "head") == 2
    with pytest.raises(InputError, match=r"there is no such head\.(.|\n)*received: 1.5"):
        index(1.5, 3, "head")  # type: ignore[arg-type]


@pytest.mark.parametrize("given", [({}, small_cache), "layer.0.probs", None])
def test_what_is_no_cache(given: Any) -> None:
    """The whole of what run_with_cache gives, for one."""
    with pytest.raises(InputTypeError, match=r"outputs, cache = model\.run_with_cache"):
        stage(given, "layer.0.probs", 0)
    with pytest.raises(InputTypeError, match="the second of the two values"):
        num_layers(given)


@pytest.mark.parametrize("given", [["a", "b"], [[1], [1, 2]], None, {}])
def test_what_is_no_array_of_numbers(given: Any) -> None:
    with pytest.raises(InputError, match=r"an array of numbers\.(.|\n)*where: +matrix"):
        numbers(given, "matrix")


def test_numbers_of_any_dtype() -> None:
    for dtype in (np.float16, np.int8, np.bool_, ml_dtypes.bfloat16):
        found = numbers(np.ones((2, 3), dtype), "x")
        assert (found.dtype, found.tolist()) == (np.float64, [[1.0] * 3] * 2)


def test_layers() -> None:
    assert num_layers(small_cache()) == LAYERS
    assert num_layers({"embeddings.sum": 0}) == 0


@pytest.mark.parametrize("tokens", [[], ["a"] * (T + 1), "the river", [2, 11, 3]])
def test_tokens_that_do_not_fit(tokens: list[str]) -> None:
    with pytest.raises(InputError, match="tokens must be a list"):
        check_tokens(tokens, T)


def test_tokens() -> None:
    assert check_tokens(tuple(TOKENS), T) == TOKENS
