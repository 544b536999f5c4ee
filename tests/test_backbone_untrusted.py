"""``trust=False`` in the public calls: HDF5 is read elsewhere, and everything else is as ever."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from goldens import PRESETS

from npbert import BertBackbone
from npbert.errors import ModelFileError
from npbert.weights import h5_process

TINY = PRESETS / "keras_tiny"
ROOT = Path(__file__).parents[1]


def bits(model: BertBackbone) -> dict[str, bytes]:
    return {name: array.tobytes() for name, array in model.weights()}


@pytest.fixture(scope="module")
def tiny() -> BertBackbone:
    return BertBackbone.from_preset(TINY)


def elsewhere() -> bool:
    """Whether another process has read since the last time."""
    read = h5_process._child is not None
    h5_process.stop()
    return read


@pytest.fixture(autouse=True)
def _none_before():
    h5_process.stop()


@pytest.mark.parametrize("kind", ["directory", "archive", "shards"])
def test_from_preset(tmp_path: Path, tiny: BertBackbone, kind: str):
    path = {"directory": TINY, "archive": tmp_path / "a.keras", "shards": tmp_path / "a"}[kind]
    if kind == "archive":
        tiny.save(path)
    elif kind == "shards":
        tiny.save_to_preset(path, max_shard_size=1e-5)
        assert (path / "model.weights.json").exists()
    assert bits(BertBackbone.from_preset(path)) == bits(tiny)
    assert not elsewhere()
    assert bits(BertBackbone.from_preset(path, trust=False)) == bits(tiny)
    assert elsewhere()


def test_safetensors_need_no_trust():
    model = BertBackbone.from_preset(PRESETS / "hf_tiny", trust=False)
    assert bits(model) == bits(BertBackbone.from_preset(PRESETS / "hf_tiny"))
    assert not elsewhere()


@pytest.mark.parametrize("skip_mismatch", [False, True])
def test_load_weights(tiny: BertBackbone, skip_mismatch: bool):
    model = BertBackbone.from_config(tiny.get_config())
    model.load_weights(TINY / "model.weights.h5", skip_mismatch, trust=False)
    assert bits(model) == bits(tiny)
    assert elsewhere()


def test_a_model_stays_as_it_was_after_an_error(tmp_path: Path, tiny: BertBackbone):
    (tmp_path / "a.weights.h5").write_bytes((TINY / "model.weights.h5").read_bytes()[:-999])
    before = bits(tiny)
    with pytest.raises(ModelFileError, match="the HDF5 file cannot be read"):
        tiny.load_weights(tmp_path / "a.weights.h5", trust=False)
    assert bits(tiny) == before


_WITHOUT = """
import sys
from npbert import BertBackbone
model = BertBackbone.from_preset({preset!r}, trust=False)
model.load_weights({weights!r}, trust=False)
model.load_weights({archive!r}, skip_mismatch=True, trust=False)
BertBackbone.from_preset({archive!r}, trust=False)
assert "h5py" not in sys.modules
"""


def test_this_process_has_no_h5py(tmp_path: Path, tiny: BertBackbone):
    archive = tmp_path / "a.keras"
    tiny.save(archive)
    weights = TINY / "model.weights.h5"
    script = _WITHOUT.format(preset=str(TINY), weights=str(weights), archive=str(archive))
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
