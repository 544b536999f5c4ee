"""The rules of the safetensors header, and reading one tensor."""

from __future__ import annotations

import json
import os
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from npbert.errors import ModelFileError, UnsafeModelError, UnsupportedModelError
from npbert.weights.files import open_regular
from npbert.weights.safetensors_file import read_header, read_tensor

from .model_files import safetensors_bytes, with_header

A = {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}
DATA = bytes(range(24))


def _read(path: Path, content: bytes) -> dict[str, np.ndarray]:
    path.write_bytes(content)
    with open_regular(path) as file:
        entries = read_header(file, path)
        return {name: read_tensor(file, entry, name, path) for name, entry in entries.items()}


def _file(*entries: tuple[str, object], data: bytes = DATA) -> bytes:
    """A header with these entries in order, duplicates included."""
    inner = ", ".join(f"{json.dumps(name)}: {json.dumps(value)}" for name, value in entries)
    return with_header(f"{{{inner}}}".encode(), data)


def test_reads_every_float_type(tmp_path: Path):
    values = np.array([[1.5, -2.0, 0.0], [0.25, 3.0, -7.0]])
    arrays = {
        "f64": values,
        "f32": values.astype(np.float32),
        "f16": values.astype(np.float16),
        "bf16": values.astype(ml_dtypes.bfloat16).view(np.uint16),
    }
    for name, array in _read(tmp_path / "a", safetensors_bytes(arrays)).items():
        assert array.dtype == (ml_dtypes.bfloat16 if name == "bf16" else arrays[name].dtype)
        assert array.flags.writeable
        assert array.tolist() == values.tolist()


def test_a_tensor_that_is_not_aligned(tmp_path: Path):
    header = b'{"a":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}}'
    assert (8 + len(header)) % 4
    array = _read(tmp_path / "a", with_header(header, DATA))["a"]
    assert array.tobytes() == DATA
    assert array.flags.aligned


def test_scalars_empty_tensors_and_trailing_spaces(tmp_path: Path):
    header = {
        "scalar": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]},
        "empty": {"dtype": "F32", "shape": [0, 3], "data_offsets": [4, 4]},
    }
    content = with_header(json.dumps(header).encode() + b"    ", DATA[:4])
    arrays = _read(tmp_path / "a", content)
    assert arrays["scalar"].shape == ()
    assert arrays["empty"].shape == (0, 3)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\x01\x02", r"the header is too small(.|\n)*2 bytes"),
        (with_header(b"{}")[:8], "header length 2 exceeds"),
        ((2**63).to_bytes(8, "little") + b"{}", "header length 9223372036854775808 exceeds"),
        ((50).to_bytes(8, "little") + b"{}" + DATA, r"length 50 exceeds(.|\n)*a file of 34 bytes"),
        (with_header(b"[1, 2]", DATA), "not a safetensors file"),
        (with_header(b' {"a": 1}', DATA), "not a safetensors file"),
        (with_header(b'{"a": \xff}', DATA), "not UTF-8 at byte 6"),
        (with_header(b"{a: 1}", DATA), "not valid JSON: Expecting property name"),
        (with_header(b'{"a": NaN}', DATA), "NaN is not JSON"),
        (with_header(b'{"a": ' + b"[" * 5_000, DATA), "not valid JSON|nested too deeply"),
        (with_header(b'{"a": ' + b"[" * 40 + b"]" * 40 + b"}", DATA), "entry is malformed"),
        (_file(("a", A), ("a", A)), "duplicate key 'a'"),
        (_file(("__metadata__", {"x": 1}), ("a", A)), "__metadata__ is not a map"),
        (_file(("__metadata__", "x"), ("a", A)), "__metadata__ is not a map"),
        (_file(("a", 5)), r"entry is malformed(.|\n)*received: 5"),
        (_file(("a", A | {"more": 1})), "entry is malformed"),
        (_file(("a" * 600, A)), "unprintable or longer than 512"),
        (_file(("a\n", A)), "unprintable or longer than 512"),
        (_file(("a", A | {"dtype": "F6"})), r"unknown dtype(.|\n)*received: 'F6'"),
        (_file(("a", A | {"dtype": 4})), r"unknown dtype(.|\n)*received: 4"),
        (_file(("a", A | {"shape": [2, -3]})), r"not a list of sizes(.|\n)*\[2, -3\]"),
        (_file(("a", A | {"shape": [2, True]})), "not a list of sizes"),
        (_file(("a", A | {"shape": [2, 3.0]})), "not a list of sizes"),
        (_file(("a", A | {"shape": ["2", 3]})), "not a list of sizes"),
        (_file(("a", A | {"shape": 6})), "not a list of sizes"),
        (_file(("a", A | {"data_offsets": [0]})), "data_offsets are malformed"),
        (_file(("a", A | {"data_offsets": [24, 0]})), "data_offsets are malformed"),
        (
            _file(("a", A | {"shape": [2, 4]})),
            r"disagree(.|\n)*received: 24 bytes\n  expected: 32 bytes for F32 \[2, 4\]",
        ),
        (_file(("a", A | {"shape": [2**40, 2**40]})), "shape and bytes disagree"),
        (_file(("a", A), data=DATA[:23]), r"passes the file's end(.|\n)*tensor from byte"),
        (_file(("a", A), data=DATA + b"x"), "the file is longer than its tensors"),
        (_file(("a", A), ("b", A)), "tensor 'b' is not where the one before it ends"),
        (_file(("a", A | {"data_offsets": [4, 28]}), data=DATA + b"1234"), "tensor 'a' is not wh"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_what_is_refused(tmp_path: Path, content: bytes, message: str):
    with pytest.raises(ModelFileError, match=message) as error:
        _read(tmp_path / "model.safetensors", content)
    assert "the file again" in str(error.value.fix)


def test_too_many_tensors(tmp_path: Path):
    empty = {"dtype": "F32", "shape": [0], "data_offsets": [0, 0]}
    content = _file(*((f"t{i}", empty) for i in range(10_001)), data=b"")
    with pytest.raises(ModelFileError, match="too many tensors"):
        _read(tmp_path / "a", content)


def test_a_header_that_is_too_large(tmp_path: Path):
    content = with_header(b"{" + b" " * 4_000_000, DATA)
    with pytest.raises(ModelFileError, match=r"length 4000001 exceeds(.|\n)*2 to 4000000 bytes"):
        _read(tmp_path / "a", content)


@pytest.mark.parametrize(
    ("dtype", "count"),
    [
        *(("I8", 24), ("U8", 24), ("BOOL", 24), ("F8_E4M3", 24), ("F8_E5M2", 24), ("F8_E8M0", 24)),
        *(("I16", 12), ("U16", 12), ("I32", 6), ("U32", 6), ("I64", 3), ("U64", 3)),
    ],
)
def test_a_dtype_no_weight_has(tmp_path: Path, dtype: str, count: int):
    content = _file(("a", {"dtype": dtype, "shape": [count], "data_offsets": [0, 24]}))
    message = rf"unsupported dtype {dtype} for 'a'(.|\n)*expected: F32, F16, BF16, F64"
    with pytest.raises(UnsupportedModelError, match=message):
        _read(tmp_path / "a", content)


def test_a_pickle_under_this_name(tmp_path: Path):
    with pytest.raises(UnsafeModelError, match="this is a pickle"):
        _read(tmp_path / "model.safetensors", b"\x80\x04\x95\x10\x00\x00\x00\x00\x00\x00\x00]")


def test_a_file_that_shrinks_while_it_is_read(tmp_path: Path):
    path = tmp_path / "a"
    path.write_bytes(_file(("a", A)))

    def read() -> None:
        with open_regular(path) as file:
            entries = read_header(file, path)
            os.truncate(path, path.stat().st_size - 8)
            file.seek(0)
            read_tensor(file, entries["a"], "a", path)

    with pytest.raises(ModelFileError, match="became shorter while it was read"):
        read()
