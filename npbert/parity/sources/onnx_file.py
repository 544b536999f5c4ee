"""An ONNX file, read but not run: its tensors are in it, or in files beside it, nowhere else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from npbert.errors import ModelFileError, UnsafeModelError
from npbert.parity.sources.base import imported
from npbert.weights.files import open_regular


def load(path: Path) -> Any:
    """The ``onnx.ModelProto`` in a file; tensors in other files are not read yet.

    Raises:
        ModelFileError: it is missing or damaged.
        UnsafeModelError: see `check_inside`.
    """
    onnx = imported("onnx", "onnx", "onnx")
    with open_regular(path) as file:
        content = file.read()
    try:
        model = onnx.ModelProto.FromString(content)
    except Exception as error:  # protobuf's own
        raise unreadable(path, error) from error
    if not model.graph.node:
        raise unreadable(path, "no graph")
    for tensor in tensors_of(model):
        if tensor.data_location == onnx.TensorProto.EXTERNAL:
            places = [entry.value for entry in tensor.external_data if entry.key == "location"]
            check_inside(path, places[0] if len(places) == 1 else "")
    return model


def tensors_of(model: Any) -> Iterator[Any]:
    """Every tensor of a model: of its graph, and of those and the functions inside it."""
    yield from _of_graph(model.graph)
    for function in model.functions:
        yield from _of_nodes(function.node)


def _of_graph(graph: Any) -> Iterator[Any]:
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    yield from _of_nodes(graph.node)


def _of_nodes(nodes: Any) -> Iterator[Any]:
    for attribute in (attribute for node in nodes for attribute in node.attribute):
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)
        for inner in (attribute.g, *attribute.graphs):
            yield from _of_graph(inner)


def check_inside(path: Path, location: str) -> None:
    """Refuse tensors in a file that is not in the model's directory.

    Raises:
        UnsafeModelError: the location is no name of a file there, or a link out of it.
    """
    parts = PurePosixPath(location).parts
    odd = "\\" in location or "\0" in location or PureWindowsPath(location).drive
    if not odd and parts and ".." not in parts and not PurePosixPath(location).is_absolute():
        home = path.resolve().parent
        if (home / location).resolve().is_relative_to(home):
            return
    raise UnsafeModelError(
        "a tensor is in a file outside the model's directory.",
        where=path,
        received=f"{location!r:.120}",
        expected="the name of a file beside the model",
        fix="do not use this model unless you trust its author; export it again",
    )


def unreadable(path: Path, error: object) -> ModelFileError:
    """The error for a file that onnx or ONNX Runtime refuses, in their words."""
    return ModelFileError(
        "ONNX Runtime cannot load the file.",
        where=path,
        received=f"{str(error)[:400]}",
        fix="check that it is a whole .onnx file, with the files of its tensors beside it",
    )
