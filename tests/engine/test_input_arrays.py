"""Arrays of every kind that hold the same ids: the same inputs, and copies of them."""

from __future__ import annotations

import goldens
import numpy as np
import pytest

from npbert.engine.inputs import NAMES, check_inputs


class OnlyArray:
    """What PyTorch, TensorFlow and JAX arrays have, in one method."""

    def __init__(self, values):
        self._values = np.array(values)

    def __array__(self, dtype=None, copy=None):
        return self._values if dtype is None else self._values.astype(dtype)


class OnlyDlpack:
    """An array that other libraries read through DLPack alone."""

    def __init__(self, values):
        self._values = np.array(values)

    def __dlpack__(self, **settings):
        return self._values.__dlpack__(**settings)

    def __dlpack_device__(self):
        return self._values.__dlpack_device__()


def _memmap(values, folder):
    path = folder / f"{len(list(folder.iterdir()))}.bin"
    values.astype(np.int64).tofile(path)
    return np.memmap(path, np.int64, "r", shape=values.shape)


def _unaligned(values, folder):
    raw = np.zeros(values.size * 4 + 1, np.uint8)
    array = raw[1:].view(np.int32).reshape(values.shape)
    array[:] = values
    return array


def _readonly(values, folder):
    array = values.copy()
    array.flags.writeable = False
    return array


KINDS = {
    "lists": lambda x, _: x.tolist(),
    "tuples": lambda x, _: tuple(map(tuple, x.tolist())),
    "list of arrays": lambda x, _: list(x),
    "readonly": _readonly,
    "fortran order": lambda x, _: np.asfortranarray(x),
    "every second": lambda x, _: np.repeat(np.repeat(x, 2, 0), 3, 1)[::2, ::3],
    "negative strides": lambda x, _: np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1],
    "big-endian": lambda x, _: x.astype(">i4"),
    "big-endian int64": lambda x, _: x.astype(">i8"),
    "int8": lambda x, _: x.astype(np.int8),
    "uint8": lambda x, _: x.astype(np.uint8),
    "int16": lambda x, _: x.astype(np.int16),
    "uint32": lambda x, _: x.astype(np.uint32),
    "int64": lambda x, _: x.astype(np.int64),
    "uint64": lambda x, _: x.astype(np.uint64),
    "memmap": _memmap,
    "unaligned": _unaligned,
    "np.matrix": lambda x, _: np.asmatrix(x),
    "masked array, nothing masked": lambda x, _: np.ma.array(x),
    "__array__": lambda x, _: OnlyArray(x),
    "__dlpack__": lambda x, _: OnlyDlpack(x),
}


@pytest.mark.filterwarnings("ignore:the matrix subclass:PendingDeprecationWarning")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", ["odd_width", "deep"])
def test_same_ids_same_inputs(case, kind, tmp_path):
    config, batch = goldens.config(case), goldens.inputs(case)
    made = {name: KINDS[kind](array, tmp_path) for name, array in batch.items()}
    checked = check_inputs(made, config)
    for name, array in zip(NAMES, checked, strict=True):
        assert type(array) is np.ndarray
        assert array.flags.aligned
        assert array.flags.writeable
        assert array.dtype == (np.bool_ if name == "padding_mask" else np.int32)
        np.testing.assert_array_equal(array, batch[name])


def test_broadcast_arrays():
    config = goldens.config("odd_width")
    ids = np.broadcast_to(np.arange(5), (3, 5))  # a row stride of 0
    batch = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": np.broadcast_to(1, (3, 5))}
    np.testing.assert_array_equal(check_inputs(batch, config).token_ids, ids)


@pytest.mark.parametrize("dtype", [np.int32, np.int64, np.bool_])
def test_inputs_are_copies(dtype):
    """The caller may change his arrays while the model runs."""
    config = goldens.config("odd_width")
    batch = {name: np.ones((2, 3), dtype if name == "padding_mask" else np.int32) for name in NAMES}
    checked = check_inputs(batch, config)
    for name, array in zip(NAMES, checked, strict=True):
        assert not np.shares_memory(array, batch[name])
        batch[name][:] = 0
        assert array.all()


@pytest.mark.kernel
@pytest.mark.parametrize("kind", ["lists", "fortran order", "big-endian", "memmap", "__dlpack__"])
def test_the_model_takes_them(kind, tmp_path):
    batch = goldens.inputs("odd_width")
    made = {name: KINDS[kind](array, tmp_path) for name, array in batch.items()}
    model = goldens.backbone("odd_width")
    goldens.assert_same_bits(model(made), model(batch))
