"""What the values of an ONNX graph are, from the names that PyTorch's exporters give its nodes.

The older exporter, which optimum uses too, writes a node's module before its name:
``/encoder/layer.0/attention/self/query/MatMul``. The newer one keeps it in the node's metadata.
What an optimizer has fused has lost some of its values: a stage is read only from the ops that are
known to make it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from npbert.parity.sources.modules import Module, attention_path, modules

SCOPES: Final = "pkg.torch.onnx.name_scopes"
"""The key of the newer exporter's metadata."""

OUTPUTS: Final = {
    **dict.fromkeys(("last_hidden_state", "token_embeddings"), "sequence_output"),
    "pooler_output": "pooled_output",
    "sentence_embedding": "text.vector",
}
"""What exporters call a graph's outputs, beside npbert's own names."""

_PATH: Final = re.compile(r"(?:^|\.)((?:embeddings|encoder\.layer\.\d+|pooler)(?:\..+)?)$")
_LAYER: Final = re.compile(r"encoder\.layer\.(\d+)\.")
_PRODUCTS: Final = ("MatMul", "Mul", "Div", "FusedMatMul")
_DENSE: Final = ("MatMul", "Gemm")


class Node(NamedTuple):
    """One node, as far as it matters here.

    Args:
        op: its type: ``"MatMul"``.
        path: its module in a BertModel, ``"encoder.layer.0.output.dense"``; ``""`` if unknown.
        inputs, outputs: names of values.
        transposed: whether a Gemm takes its weights as (outputs, inputs).
    """

    op: str
    path: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    transposed: bool = False


class Parameter(NamedTuple):
    """Where a tensor of the model is.

    Args:
        value: its name in the graph.
        transposed: whether it lies there as (outputs, inputs), as PyTorch has it.
    """

    value: str
    transposed: bool


def module_path(name: str, output: str, scopes: str | None) -> str:
    """The module of a node in a BertModel; ``""`` if its names do not say.

    Args:
        name, output: of the node, and of its first value.
        scopes: the newer exporter's metadata, a list of strings as Python writes it.
    """
    where = ""
    if scopes:
        try:
            listed: object = ast.literal_eval(scopes)
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            listed = None
        where = str(listed[-2]) if isinstance(listed, list) and len(listed) > 1 else ""
    else:
        slashed = next((each for each in (name, output) if each.startswith("/")), "")
        where = slashed.rpartition("/")[0].replace("/", ".")
    found = _PATH.search(where)
    return found[1] if found else ""


class Graph:
    """A graph's nodes by module, and by what they make.

    Args:
        nodes: in the order of computation.
    """

    def __init__(self, nodes: Sequence[Node]) -> None:
        self._by_path: dict[str, list[Node]] = {}
        self._makers = {value: node for node in nodes for value in node.outputs}
        for node in nodes:
            if node.path and node.op != "Constant":
                self._by_path.setdefault(node.path, []).append(node)
        layers = [int(m[1]) for path in self._by_path if (m := _LAYER.match(path))]
        self.num_layers = max(layers, default=-1) + 1

    def stages(self) -> dict[str, str]:
        """Stage -> the value that it is."""
        found: dict[str, str] = {}
        for module in modules(self.num_layers):
            found |= self._of_module(module)
        for i in range(self.num_layers):
            found |= self._of_attention(i)
        pooler = [n for path, nodes in self._by_path.items() for n in nodes if "pooler" in path]
        tanh = [node.outputs[0] for node in pooler if node.op == "Tanh"]
        return found | ({"pooled_output": tanh[-1]} if tanh else {})

    def _of_module(self, module: Module) -> dict[str, str]:
        nodes = self._by_path.get(module.path)
        if not nodes or not _is_whole(module.path, nodes):
            return {}
        received = {module.received: nodes[0].inputs[0]} if module.received else {}
        return {**received, module.returned: nodes[-1].outputs[0]}

    def _of_attention(self, layer: int) -> dict[str, str]:
        nodes = self._by_path.get(attention_path(layer), [])
        softmax = [node for node in nodes if node.op == "Softmax"]
        if len(softmax) != 1:
            return {}
        found = {f"layer.{layer}.probs": _multiplied(softmax[0], nodes)}
        scores = self._before_mask(softmax[0].inputs[0], nodes)
        return found | ({f"layer.{layer}.scores": scores} if scores else {})

    def _before_mask(self, value: str, nodes: Sequence[Node]) -> str | None:
        """The product that the mask is added to, or the value itself where none is."""
        maker = self._makers.get(value)
        if maker is not None and maker.op == "Add":
            products = [each for each in maker.inputs if self._is_product(each, nodes)]
            return products[0] if len(products) == 1 else None
        return value if self._is_product(value, nodes) else None

    def _is_product(self, value: str, nodes: Sequence[Node]) -> bool:
        maker = self._makers.get(value)
        return maker is not None and maker.op in _PRODUCTS and maker in nodes

    # -- weights -----------------------------------------------------------------------------------

    def parameters(self, stored: Mapping[str, object]) -> dict[str, Parameter]:
        """Hugging Face's name of a tensor -> where it is among the ``stored`` values."""
        paths = [module.path for module in modules(self.num_layers)]
        found: dict[str, Parameter] = {}
        for path in [*paths, "pooler.dense"]:
            nodes = self._by_path.get(path, [])
            for name, (value, transposed) in _parameters(nodes):
                kept, turned = self._resolve(value)
                if kept in stored:
                    found[f"{path}.{name}"] = Parameter(kept, transposed != turned)
        return found

    def _resolve(self, value: str) -> tuple[str, bool]:
        """Back to what is stored: equal tensors are kept once, kernels are turned."""
        turned = False
        while (maker := self._makers.get(value)) and maker.op in ("Identity", "Transpose"):
            turned ^= maker.op == "Transpose"
            value = maker.inputs[0]
        return value, turned


def _multiplied(softmax: Node, nodes: Sequence[Node]) -> str:
    """What the values are multiplied by: a mask, or 0 where nothing is kept, may come after."""
    made = {softmax.outputs[0]}
    for node in nodes[nodes.index(softmax) + 1 :]:
        if taken := made.intersection(node.inputs):
            if node.op == "MatMul":
                return taken.pop()
            made |= set(node.outputs)
    return softmax.outputs[0]


def _is_whole(path: str, nodes: Sequence[Node]) -> bool:
    """Whether the nodes begin and end as the module does: nothing of it is fused elsewhere."""
    first, last = nodes[0].op, nodes[-1].op
    if path.endswith("LayerNorm"):
        return first == "LayerNormalization" or (first, last) == ("ReduceMean", "Add")
    if path.endswith("_embeddings"):
        return last == "Gather"
    return first == "Gemm" or (first, last) == ("MatMul", "Add")


def _parameters(nodes: Sequence[Node]) -> Iterator[tuple[str, Parameter]]:
    """``weight`` and ``bias`` of one module's nodes; each value may turn out to be no tensor."""
    for node in nodes:
        if node.op in ("LayerNormalization", "Gemm"):
            yield "weight", Parameter(node.inputs[1], node.transposed)
            if len(node.inputs) > 2:
                yield "bias", Parameter(node.inputs[2], False)
        elif node.op == "Gather":
            yield "weight", Parameter(node.inputs[0], False)
        elif node.op in ("MatMul", "Mul"):
            yield from (("weight", Parameter(value, False)) for value in node.inputs)
        elif node.op == "Add":
            yield from (("bias", Parameter(value, False)) for value in node.inputs)
