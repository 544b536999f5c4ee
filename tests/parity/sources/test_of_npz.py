"""Arrays from a file: under npbert's names or an alias, and never a pickle."""

from __future__ import annotations

import io
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest

from npbert.errors import InputError, ModelFileError, UnsafeModelError
from npbert.parity.sources import open_source

IDS = np.int32([[1, 2, 3], [4, 5, 0]])
INPUTS = {"token_ids": IDS, "segment_ids": 0 * IDS, "padding_mask": 0 * IDS + 1}
STAGES = {
    "sequence_output": np.arange(30, dtype=np.float32).reshape(2, 3, 5),
    "layer.0.probs": np.ones((2, 4, 3, 3), ml_dtypes.bfloat16),
}


@pytest.fixture
def saved(tmp_path):
    def save(**arrays):
        np.savez_compressed(tmp_path / "arrays.npz", **arrays)
        return open_source(f"npz:{tmp_path / 'arrays.npz'}")

    return save


def test_a_record(saved):
    source = saved(**STAGES, **INPUTS, **{"weights.a/bias": IDS * 0.5, "mine": IDS})
    assert source.recorded is not None
    stages = source.run(source.recorded)
    assert stages.keys() == STAGES.keys()
    for name, array in STAGES.items():
        assert stages[name].dtype == array.dtype
        np.testing.assert_array_equal(stages[name], array)
    weights = source.weights()
    assert weights is not None
    assert list(weights) == ["a/bias"]
    assert list(source.unnamed(INPUTS)) == ["mine"]
    assert source.notes == []
    with pytest.raises(InputError, match="only the inputs that it was made with"):
        source.run({**INPUTS, "token_ids": IDS + 1})


def test_without_inputs_any_of_the_size_are_assumed(saved):
    source = saved(**STAGES)
    assert source.recorded is source.weights() is None
    assert "does not say what inputs" in source.notes[0]
    assert source.run(INPUTS).keys() == STAGES.keys()
    with pytest.raises(InputError, match="another batch"):
        source.run({name: array[:1] for name, array in INPUTS.items()})


def test_vectors_of_texts(saved):
    source = saved(**{"text.vector": np.ones((2, 5))})
    found = source.encode(["a", "b"])
    assert found is not None
    assert list(found) == ["text.vector"]
    assert source.encode(["a"]) is None
    assert source.run(INPUTS) == {}


def test_never_a_pickle(saved, tmp_path):
    path = tmp_path / "arrays.npz"
    with pytest.raises(UnsafeModelError, match=r"Python objects[^$]*arrays.npz: evil"):
        saved(evil=np.array([{}], object))
    path.write_bytes(pickle.dumps(STAGES))
    with pytest.raises(UnsafeModelError, match="this is a pickle"):
        open_source(f"npz:{path}")


def test_damaged_files(saved, tmp_path):
    path = tmp_path / "arrays.npz"
    with pytest.raises(ModelFileError, match="does not exist"):
        open_source(f"npz:{path}")
    np.save(tmp_path / "one.npy", IDS)
    with pytest.raises(ModelFileError, match="looks like a NumPy array"):
        open_source(f"npz:{tmp_path / 'one.npy'}")
    saved(**STAGES)
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ModelFileError, match="the archive is damaged"):
        open_source(f"npz:{path}")


def test_a_member_that_is_no_array(tmp_path):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("notes.txt", "hello")
        archive.writestr("half.npy", b"\x93NUMPY\x01\x00")
    (tmp_path / "x.npz").write_bytes(content.getvalue())
    with pytest.raises(ModelFileError, match="the archive is damaged"):
        open_source(f"npz:{tmp_path / 'x.npz'}")
