"""Functions as sources."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.parity.sources import open_source
from npbert.parity.sources.of_python import PythonSource

IDS = np.array([[1, 2, 3], [4, 5, 0]])
INPUTS = {"padding_mask": IDS != 0, "token_ids": IDS, "segment_ids": 0 * IDS}
PORT = """
import numpy as np
__version__ = "7.1"
def stages(token_ids, segment_ids, padding_mask):
    assert token_ids.dtype == segment_ids.dtype == padding_mask.dtype == np.int32
    x = np.float32(token_ids + 10 * segment_ids + 100 * padding_mask)
    return {"layer.0.query": x, "mine": x.tolist()}
CONSTANT = 3
"""


def test_a_module_of_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "a_port_of_mine.py").write_text(PORT)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    source = open_source("py:a_port_of_mine:stages")
    np.testing.assert_array_equal(source.run(INPUTS)["layer.0.query"][0], [101, 102, 103])
    assert list(source.unnamed(INPUTS)) == ["mine"]
    assert source.environment["a_port_of_mine"] == "7.1"
    assert source.weights() is source.encode(["a"]) is source.recorded is None
    del sys.modules["a_port_of_mine"]


def test_a_file(tmp_path):
    path = tmp_path / "port.py"
    path.write_text(PORT)
    assert list(open_source(f"py:{path}:stages").run(INPUTS)) == ["layer.0.query"]
    assert "port" not in sys.modules
    for name in ("stage", "CONSTANT"):
        with pytest.raises(ConfigError, match=rf"unknown function '{name}'"):
            open_source(f"py:{path}:{name}")


@pytest.mark.parametrize("spec", ["py:json", "py:json:", "py::loads"])
def test_half_a_spec(spec):
    with pytest.raises(ConfigError, match="needs the module that has it"):
        open_source(spec)


def test_a_module_that_cannot_be_imported(tmp_path):
    path = tmp_path / "port.py"
    path.write_text("raise KeyError('boom')")
    for spec in (f"py:{path}:f", "py:npbert_no_such_module:f", f"py:{tmp_path}/none.py:f"):
        with pytest.raises(ConfigError, match="the module cannot be imported"):
            open_source(spec)


def test_what_a_function_may_not_do():
    with pytest.raises(InputError, match=r"the function failed[^$]*ZeroDivisionError"):
        PythonSource(lambda *_: 1 / 0).run(INPUTS)
    for found in (None, [IDS], {1: IDS}):
        with pytest.raises(InputTypeError, match="returned no dictionary of arrays"):
            PythonSource(lambda *_, found=found: found).run(INPUTS)
    with pytest.raises(InputTypeError, match="no array of numbers"):
        PythonSource(lambda *_: {"sequence_output": "x"}).run(INPUTS)
    with pytest.raises(InputError, match="another batch"):
        PythonSource(lambda ids, *_: {"sequence_output": ids[:1]}).run(INPUTS)
