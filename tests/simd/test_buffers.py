from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.simd.buffers import ALIGNMENT, empty, pad_columns, padded, zeros


@pytest.mark.parametrize(
    ("columns", "expected"), [(0, 0), (1, 16), (15, 16), (16, 16), (17, 32), (32, 32), (384, 384)]
)
def test_padded(columns, expected):
    assert padded(columns) == expected


@pytest.mark.parametrize("shape", [(), (0,), (0, 16), (3, 0), (1,), (3, 5), (2, 3, 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.int64, np.uint16, np.uint8])
@pytest.mark.parametrize("make", [empty, zeros])
def test_shape_dtype_and_alignment(make, shape, dtype):
    for _ in range(5):
        out = make(*shape, dtype=dtype)
        assert out.shape == shape
        assert out.dtype == dtype
        assert out.flags.c_contiguous
        assert out.flags.writeable
        assert out.size == 0 or out.ctypes.data % ALIGNMENT == 0
        assert make is empty or not out.any()


def test_buffers_do_not_overlap():
    arrays = [empty(3, 5) for _ in range(20)]
    for value, array in enumerate(arrays):
        array[:] = value
    assert [float(array.sum()) for array in arrays] == [15.0 * value for value in range(20)]


@pytest.mark.parametrize("kind", [np.float32, np.float64])
@given(shape=st.lists(st.integers(0, 20), min_size=1, max_size=3))
def test_pad_columns(shape, kind):
    x = np.random.default_rng(0).standard_normal(shape).astype(kind)
    out = pad_columns(x)
    assert out.dtype == kind
    assert out.shape == (*shape[:-1], padded(shape[-1]))
    assert out.size == 0 or out.ctypes.data % ALIGNMENT == 0
    assert np.array_equal(out[..., : shape[-1]], x)
    assert not out[..., shape[-1] :].any()


@pytest.mark.parametrize(
    ("given_", "asked", "expected"),
    [
        (np.float16, None, np.float32),
        (np.int64, None, np.float32),
        (np.float64, np.float32, np.float32),
        (np.float32, np.float64, np.float64),
        (np.uint16, np.uint16, np.uint16),
    ],
)
def test_pad_columns_makes_the_type_asked_for(given_, asked, expected):
    x = np.arange(6).reshape(2, 3).astype(given_)
    out = pad_columns(x, asked)
    assert out.dtype == expected
    assert np.array_equal(out[:, :3], x)


def test_pad_columns_copies():
    x = np.ones((2, 16), np.float32)
    pad_columns(x)[:] = 0
    assert x.all()
