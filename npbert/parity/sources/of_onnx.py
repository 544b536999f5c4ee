"""An ONNX file in ONNX Runtime: its outputs, and the inner values whose names say what they are.

Such a value is made an output too, which keeps the runtime from fusing the ops around it: the
numbers are those of the graph as it was exported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.errors import UnsupportedModelError
from npbert.parity.sources.base import NAMES, Base, cannot_run, imported, versions
from npbert.parity.sources.modules import as_stage
from npbert.parity.sources.named import is_stage
from npbert.parity.sources.of_npbert import has_tokenizer, tokens_of
from npbert.parity.sources.onnx_file import load, unreadable
from npbert.parity.sources.onnx_graph import OUTPUTS, SCOPES, Graph, Node, module_path
from npbert.parity.types import Array, Inputs, Stages, Tokens
from npbert.presets.directory import read_config
from npbert.tasks.model_files import read_tokenizer
from npbert.text.limits import Limit
from npbert.text.tokenizer import Tokenizer
from npbert.weights.names import tensors

_INPUTS: Final = {
    **{name: name for name in NAMES},
    "input_ids": "token_ids",
    "token_type_ids": "segment_ids",
    "attention_mask": "padding_mask",
    "input_mask": "padding_mask",
}
_TYPES: Final = {"tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(float)": np.float32}
_FOLDER: Final = "session.model_external_initializers_file_folder_path"


class OnnxSource(Base):
    """A graph.

    Args:
        path: the file.
        name: as the user wrote it.
        config: of the model; None if it is not known.
        text: its tokenizer and how many tokens of a text are read; None for a source without texts.

    Raises:
        ModelFileError: the file cannot be read.
        UnsafeModelError: a tensor is in a file outside the directory.
        UnsupportedModelError: it has an input that no BERT has.
    """

    kind = "onnx"

    def __init__(
        self,
        path: Path,
        name: str = "onnx",
        *,
        config: BertConfig | None = None,
        text: tuple[Tokenizer, Limit] | None = None,
    ) -> None:
        packages = ("onnxruntime", "onnx")
        super().__init__(name, config=config, environment=versions(*packages))
        self._path, self._text = path, text
        self._model = load(path)
        self._graph = Graph([_node(node) for node in self._model.graph.node])
        outputs = [value.name for value in self._model.graph.output]
        self._values = self._graph.stages() | _named(outputs)
        self._session = self._with_outputs(self._values.values())
        self._inputs = {each.name: _input(each, name) for each in self._session.get_inputs()}
        if inner := [stage for stage in self._values if stage.startswith("layer.")]:
            self.notes.append(
                f"{name} gives {len(inner)} values inside its layers, around which the runtime"
                " fuses nothing"
            )
        else:
            self.notes.append(f"{name} names no value as exporters do: {', '.join(outputs)}")

    def weights(self) -> Mapping[str, Array] | None:
        if self.config is None:
            return None
        stored = {tensor.name: tensor for tensor in self._model.graph.initializer}
        places = self._graph.parameters(stored)
        helper = imported("onnx.numpy_helper", "onnx", self.kind)
        found: dict[str, Array] = {}
        for tensor in tensors(self.config):
            place = places.get(tensor.hugging_face)
            if place is None:
                continue
            array = helper.to_array(stored[place.value], base_dir=str(self._path.parent))
            if tensor.is_kernel and not place.transposed:
                array = array.T
            whole = array.shape == tensor.hugging_face_shape
            found[tensor.name] = tensor.from_hugging_face(array) if whole else array
        return found or None

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        return None if self._text is None else tokens_of(self._text[0], texts, self._text[1].value)

    def run(self, inputs: Inputs) -> Stages:
        arrays = self._call(self._session, inputs)
        heads = None if self.config is None else self.config.num_heads
        rows = len(inputs["token_ids"])
        return {
            stage: as_stage(stage, arrays[value], rows, heads)
            for stage, value in self._values.items()
            if not stage.startswith("text.")
        }

    def encode(self, texts: Sequence[str]) -> Stages | None:
        value, tokens = self._values.get("text.vector"), self.tokenize(texts)
        if value is None or not texts or tokens is None or tokens.segment_ids is None:
            return None
        vectors: list[Array] = []
        for ids, segments in zip(tokens.ids, tokens.segment_ids):
            rows = ([ids], [segments], [[1] * len(ids)])
            inputs = {name: np.array(row) for name, row in zip(NAMES, rows)}
            vectors.append(self._call(self._session, inputs)[value])
        return {"text.vector": np.concatenate(vectors)}

    def unnamed(self, inputs: Inputs) -> Stages:
        known = set(self._values.values())
        nodes = (node for node in self._model.graph.node if node.op_type != "Constant")
        names = [value for node in nodes for value in node.output if value and value not in known]
        arrays = self._call(self._with_outputs(names), inputs)
        return {name: array for name, array in arrays.items() if array.dtype.kind == "f"}

    def _with_outputs(self, names: Any) -> Any:
        """A session whose outputs are these values too."""
        onnx = imported("onnx", "onnx", self.kind)
        runtime = imported("onnxruntime", "onnxruntime", self.kind)
        model = onnx.ModelProto()
        model.CopyFrom(self._model)
        have = {value.name for value in model.graph.output}
        wanted = dict.fromkeys(name for name in names if name not in have)
        model.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted)
        options = runtime.SessionOptions()
        options.log_severity_level = 3
        options.add_session_config_entry(_FOLDER, str(self._path.resolve().parent))
        try:
            return runtime.InferenceSession(
                model.SerializeToString(), options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # of its own classes
            raise unreadable(self._path, error) from error

    def _call(self, session: Any, inputs: Inputs) -> dict[str, Array]:
        feeds = {
            name: np.asarray(inputs[ours]).astype(dtype)
            for name, (ours, dtype) in self._inputs.items()
        }
        names = [each.name for each in session.get_outputs()]
        try:
            return dict(zip(names, session.run(None, feeds)))
        except Exception as error:  # of its own classes
            raise cannot_run("ONNX Runtime", self.name, inputs, error) from error


def open_source(rest: str, name: str) -> OnnxSource:
    """``FILE``; config.json and tokenizer are beside it, or above a folder ``onnx``."""
    path = Path(rest)
    home = next((each for each in _homes(path) if (each / "config.json").exists()), None)
    if home is None:
        return OnnxSource(path, name)
    kind, config, _ = read_config(home, {})
    text = None
    if kind == "hugging_face" and has_tokenizer(home):
        text = read_tokenizer(home, kind, config, None)
    return OnnxSource(path, name, config=config, text=text)


def _homes(path: Path) -> list[Path]:
    folder = path.parent
    return [folder, folder.parent] if folder.name == "onnx" else [folder]


def _node(node: Any) -> Node:
    scopes = next((each.value for each in node.metadata_props if each.key == SCOPES), None)
    path = module_path(node.name, node.output[0] if node.output else "", scopes)
    transposed = any(each.name == "transB" and each.i for each in node.attribute)
    return Node(node.op_type, path, tuple(node.input), tuple(node.output), transposed)


def _named(outputs: Sequence[str]) -> dict[str, str]:
    """Of a graph's outputs, those whose names say what they are."""
    stages = ((OUTPUTS.get(name, name), name) for name in outputs)
    return {stage: name for stage, name in stages if is_stage(stage)}


def _input(given: Any, name: str) -> tuple[str, Any]:
    """Which of npbert's inputs this one is, and its dtype."""
    if given.name in _INPUTS and given.type in _TYPES:
        return _INPUTS[given.name], _TYPES[given.type]
    raise UnsupportedModelError(
        "the graph has an input that no BERT has.",
        where=name,
        received=f"{given.name}, {given.type}",
        expected=f"{', '.join(_INPUTS)}; {', '.join(_TYPES)}",
        fix="export the encoder alone",
    )
