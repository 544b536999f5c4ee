"""Tensors of an ONNX file, wherever they are in it, are in the directory of the model."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import pytest
from parity.sources.fakes import library

from npbert.errors import ModelFileError, UnsafeModelError
from npbert.parity.sources.onnx_file import check_inside, load, tensors_of


class Proto:
    """What `load` asks of ``onnx.ModelProto``: the content says what happens."""

    graph = SimpleNamespace(node=[])

    @classmethod
    def FromString(cls, content):
        if content == b"bad":
            raise RuntimeError("wrong wire type")
        return cls()


def test_no_graph(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", library("onnx", ModelProto=Proto))
    path = tmp_path / "model.onnx"
    with pytest.raises(ModelFileError, match="does not exist"):
        load(path)
    for content, message in ((b"bad", "wrong wire type"), (b"x", "no graph")):
        path.write_bytes(content)
        with pytest.raises(ModelFileError, match=rf"cannot load the file[^$]*{message}"):
            load(path)


@pytest.mark.parametrize(
    "location",
    ["../x.data", "/etc/passwd", "a/../../x", "a\\..\\x", "C:x", "", "link", "a\0b"],
)
def test_tensors_outside_the_directory(tmp_path, location):
    home = tmp_path / "home"
    home.mkdir()
    (home / "link").symlink_to(tmp_path / "x.data")
    with pytest.raises(UnsafeModelError, match="a file outside the model's directory"):
        check_inside(home / "model.onnx", location)


@pytest.mark.parametrize("location", ["model.onnx.data", "weights/part 1.bin"])
def test_tensors_inside_the_directory(tmp_path, location):
    check_inside(tmp_path / "model.onnx", location)


def test_tensors_of_inner_graphs_and_functions_are_found_too():
    def graph(*tensors, nodes=(), sparse=()):
        return SimpleNamespace(initializer=tensors, sparse_initializer=sparse, node=nodes)

    def node(name, *graphs):
        pair = SimpleNamespace(values=f"{name} values", indices=f"{name} indices")
        fields = {"t": name, "tensors": [f"{name} too"], "sparse_tensor": pair}
        fields |= {"sparse_tensors": [], "g": graph(), "graphs": graphs}
        return SimpleNamespace(attribute=[SimpleNamespace(**fields)])

    inner = graph("inner", nodes=[node("inner node")])
    outer = graph("outer", nodes=[node("node", inner)])
    model = SimpleNamespace(graph=outer, functions=[SimpleNamespace(node=[node("function")])])
    wanted = ["outer", "inner"]
    for name in ("node", "inner node", "function"):
        wanted += [name, f"{name} too", f"{name} values", f"{name} indices"]
    assert sorted(tensors_of(model)) == sorted(wanted)
