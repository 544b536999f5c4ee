"""Every row of the matrix of formats, and what it has no column for."""

from __future__ import annotations

import contextlib
import json
import shutil

import numpy as np
import pytest
from goldens import bits
from live.formats_matrix import FORMATS, Matrix, print_table, right
from live.peers import load, save

from npbert import BertBackbone
from npbert.errors import WeightError
from npbert.presets.directory import WEIGHTS, read_weights
from npbert.weights import weight_shapes

pytestmark = pytest.mark.live

ROWS = {row.name: row for row in FORMATS}
INDEXES = {files[1] for files in WEIGHTS.values()}
FEWER = [f"Keras Hub to npbert, preset{more}" for more in (", float16", " in shards, bfloat16")]


@pytest.fixture(scope="module")
def matrix(tmp_path_factory, seed):
    made = Matrix(tmp_path_factory.mktemp("formats"), seed)
    yield made
    made.stop()


def test_each_row_is_another():
    assert len(ROWS) == len(FORMATS)


@pytest.mark.parametrize("name", ROWS)
def test_row(matrix, name, measured):
    measured(right(ROWS[name], matrix.check(ROWS[name])))


def test_a_row_that_is_wrong(matrix, capsys):
    good = ROWS["npbert to Keras Hub, preset, float32"]
    for about, tensor in (("one bit", "weights.pooled_dense/bias"), ("far off", "pooled_output")):
        bad = good._replace(about=about)
        shutil.copytree(matrix.path(good), matrix.path(bad))
        stored = load(matrix.work, good.name)
        stored[tensor].flat[3] = np.nextafter(stored[tensor].flat[3], 9) + (tensor[0] == "p")
        save(matrix.work, bad.name, stored)
        with pytest.raises(AssertionError):
            matrix.check(bad)
        assert print_table(matrix, [good, bad]) == 1
        assert "FAILED: " in capsys.readouterr().out


@pytest.mark.parametrize("name", [name for name in ROWS if "in shards" in name])
def test_shards_are_several_files(matrix, name):
    path = matrix.path(ROWS[name])
    index = path if path.is_file() else next(p for p in path.iterdir() if p.name in INDEXES)
    places = json.loads(index.read_text())["weight_map"].values()
    files = {file for place in places for file in ([place] if isinstance(place, str) else place)}
    assert len(files) > 2
    if ROWS[name].writer == "Keras Hub":
        assert {type(place) for place in places} == {str, list}


@pytest.mark.parametrize("name", [row.name for row in FORMATS if row.ending == ".keras"])
def test_load_weights_takes_archives_too(matrix, name):
    row, path = ROWS[name], matrix.path(ROWS[name])
    with pytest.warns(UserWarning, match=row.says) if row.says else contextlib.nullcontext():
        whole = BertBackbone.from_preset(path, dtype="float32")
        model = BertBackbone(**whole.config.to_dict())
        model.load_weights(path)
    for (name, tensor), (_, expected) in zip(model.weights(), whole.weights(), strict=True):
        np.testing.assert_array_equal(bits(tensor), bits(expected), name)


@pytest.mark.parametrize("name", FEWER)
def test_fewer_layers_when_that_is_asked(matrix, name):
    path = matrix.path(ROWS[name])
    whole = dict(BertBackbone.from_preset(path).weights())
    model = BertBackbone.from_preset(path, num_layers=1)
    found = dict(model.weights())
    assert list(found) == list(weight_shapes(model.config))
    for name, array in found.items():
        assert array.dtype == whole[name].dtype, name
        assert array.tobytes() == whole[name].tobytes(), name
    with pytest.raises(WeightError, match="in the file without a place"):
        read_weights(path, "keras", model.config)
