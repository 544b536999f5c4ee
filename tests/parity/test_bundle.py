"""Bundles: written and read back to the bit, and refused when their files are no pair."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
from goldens import GOLDEN

from npbert.errors import ConfigError, ModelFileError
from npbert.parity.bundle import SCHEMA_VERSION, Bundle, load_bundle, save_bundle

ARRAYS = {
    "inputs.token_ids": np.arange(6, dtype=np.int32).reshape(2, 3),
    "tf64.layer.0.query": np.array([[np.pi, -0.0, np.nan]]),
    "tf32.layer.0.query": np.float32([[1e-45, np.inf, -1]]),
    "tf64.sequence_output": np.zeros((0, 4)),
    "tf_float16.pooled_output": np.float16([[6e-8, -65504]]),
    "tf_bfloat16.pooled_output": np.array([[3e38, -np.pi, np.nan]], ml_dtypes.bfloat16),
    "mask": np.array([True, False]),
    "weights.a/kernel": np.arange(12, dtype=np.float32).reshape(3, 4).T,  # not C-contiguous
}
META = {"case": "tiny", "config": {"num_layers": 0}, "about": "Übergrößen"}


@pytest.fixture
def stem(tmp_path):
    save_bundle(tmp_path / "tiny.v1", Bundle(META, ARRAYS))
    return tmp_path / "tiny.v1"


def change(stem, **fields):
    path = Path(f"{stem}.json")
    path.write_text(json.dumps(json.loads(path.read_text(encoding="utf-8")) | fields))


def test_round_trip(stem):
    assert sorted(p.name for p in stem.parent.iterdir()) == ["tiny.v1.json", "tiny.v1.safetensors"]
    bundle = load_bundle(str(stem))
    assert bundle.meta == META | {
        "schema_version": SCHEMA_VERSION,
        "sha256": bundle.meta["sha256"],
    }
    assert bundle.arrays.keys() == ARRAYS.keys()
    for name, array in bundle.arrays.items():
        assert (array.dtype, array.shape) == (ARRAYS[name].dtype, ARRAYS[name].shape)
        assert array.tobytes() == ARRAYS[name].tobytes(), name


def test_the_same_bundle_is_the_same_bytes(stem, tmp_path):
    again = dict(reversed(ARRAYS.items()))
    save_bundle(tmp_path / "again", Bundle(dict(reversed(META.items())), again))
    for suffix in (".json", ".safetensors"):
        written = Path(f"{stem}{suffix}").read_bytes()
        assert (tmp_path / f"again{suffix}").read_bytes() == written


def test_arrays_are_read_only(stem):
    for array in load_bundle(stem).arrays.values():
        assert not array.flags.writeable


def test_groups(stem):
    bundle = load_bundle(stem)
    assert set(bundle.group("tf64")) == {"layer.0.query", "sequence_output"}
    assert set(bundle.group("tf32")) == {"layer.0.query"}
    assert bundle.group("tf") == {}


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
def test_a_missing_file(stem, suffix):
    path = Path(f"{stem}{suffix}")
    path.unlink()
    with pytest.raises(ModelFileError, match="a file of the bundle cannot be read") as error:
        load_bundle(stem)
    assert error.value.where == path
    assert error.value.fix.startswith("write it again: `npbert parity record`")


@pytest.mark.parametrize("text", ["", "{", "\x00", '{"schema_version": 1'])
def test_json_that_is_none(stem, text):
    Path(f"{stem}.json").write_text(text)
    with pytest.raises(ModelFileError, match="a file of the bundle cannot be read"):
        load_bundle(stem)


@pytest.mark.parametrize("version", [0, 2, "1", None])
def test_another_schema_version(stem, version):
    change(stem, schema_version=version)
    with pytest.raises(ModelFileError, match="the bundle has another schema version") as error:
        load_bundle(stem)
    assert (error.value.received, error.value.expected) == (version, SCHEMA_VERSION)


def test_json_that_is_a_list(stem):
    Path(f"{stem}.json").write_text("[1]")
    with pytest.raises(ModelFileError, match="the bundle has another schema version"):
        load_bundle(stem)


@pytest.mark.parametrize("at", [0, 9, 200, -1])
def test_a_flipped_bit(stem, at):
    path = Path(f"{stem}.safetensors")
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="are not the ones its JSON describes") as error:
        load_bundle(stem)
    assert error.value.where == path
    assert str(error.value.received).startswith("sha256 ")


def test_arrays_that_are_none(stem):
    for data in (b"", b"\x10" + 7 * b"\0" + b"no safetensors..", _of_dtype("F8_E4M3")):
        Path(f"{stem}.safetensors").write_bytes(data)
        change(stem, sha256=hashlib.sha256(data).hexdigest())
        with pytest.raises(ModelFileError, match="a file of the bundle cannot be read") as error:
            load_bundle(stem)
        assert error.value.where == Path(f"{stem}.safetensors")


def _of_dtype(code):
    header = json.dumps({"x": {"dtype": code, "shape": [3], "data_offsets": [0, 3]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(3)


def test_both_files_or_none(stem, tmp_path, monkeypatch):
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    changed = Bundle(META, {"mask": np.ones(3)})

    def fail(self, *_args, **_settings):
        raise OSError("no room")

    monkeypatch.setattr(Path, "write_text", fail)
    with pytest.raises(ConfigError, match="could not be written"):
        save_bundle(stem, changed)
    with pytest.raises(ConfigError, match="could not be written"):
        save_bundle(tmp_path / "new" / "one", changed)
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


_PLAIN = """
import json, sys
import numpy as np
def read(stem):
    data = open(stem + ".safetensors", "rb").read()
    size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + size])
    for name, entry in header.items():
        if name != "__metadata__":
            start, stop = (8 + size + offset for offset in entry["data_offsets"])
            kind = {"F32": "<f4", "F64": "<f8", "I32": "<i4"}[entry["dtype"]]
            yield name, np.frombuffer(data[start:stop], kind).reshape(entry["shape"])
arrays = dict(read(sys.argv[1]))
case = json.load(open(sys.argv[1] + ".json"))["case"]
print(len(arrays), arrays["tf64.pooled_output"].shape, case)
"""


def test_a_golden_is_readable_with_numpy_alone():
    command = [sys.executable, "-c", _PLAIN, str(GOLDEN / "odd_width")]
    done = subprocess.run(command, capture_output=True, text=True)
    expected = load_bundle(GOLDEN / "odd_width")
    shape = expected.arrays["tf64.pooled_output"].shape
    assert done.stdout == f"{len(expected.arrays)} {shape} odd_width\n", done.stderr


def stems():
    return sorted(p.with_suffix("") for p in GOLDEN.rglob("*.json") if _is_bundle(p))


def _is_bundle(path):
    return "schema_version" in json.loads(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("stem", stems(), ids=lambda stem: stem.name)
def test_every_golden_is_whole_and_says_where_it_comes_from(stem):
    bundle = load_bundle(stem)
    assert bundle.meta["case"] == stem.name
    assert set(bundle.meta) >= {"about", "config", "provenance", "tolerances"}
    assert set(bundle.meta["provenance"]) == {"command", "python", "seed", "threads", "versions"}
    assert {"inputs.token_ids", "inputs.segment_ids", "inputs.padding_mask"} <= set(bundle.arrays)
    known = (np.int32, np.float64, np.float32, np.float16, ml_dtypes.bfloat16)
    for name, array in bundle.arrays.items():
        assert array.dtype in known, name
        assert np.isfinite(array).all(), name
        assert ("f64" in name) == (array.dtype == np.float64), name  # tf64, hf64, tf64_float16


def test_the_goldens_are_small():
    assert sum(p.stat().st_size for p in GOLDEN.rglob("*") if p.is_file()) < 17e6
