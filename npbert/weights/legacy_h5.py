"""The ``.h5`` of Keras before version 3, which keras-nlp 0.6 and older published BERT in.

A group for each layer, by the layer's name, whose attribute ``weight_names`` lists its variables;
a whole model has them below ``/model_weights``, beside a ``model_config`` that is never read.

Source: keras/src/legacy/saving/legacy_h5_format.py, ``save_subset_weights_to_hdf5_group``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.weights.names import Tensor, tensors

_MAX_NAMES: Final = 10_000
_WHOLE_MODEL: Final = "/model_weights"


def legacy_keys(
    file: Any, found: Mapping[str, Any], config: BertConfig
) -> list[tuple[str, str]] | None:
    """``(key of the table, key in the file)`` of every dataset, or None in the newer layout.

    A variable without a place keeps its own key.

    Args:
        file: the open file, all its links checked.
        found: its datasets by their path.
        config: what it should hold.
    """
    prefix = next((p for p in ("", _WHOLE_MODEL) if _has_layers(file, p)), None)
    if prefix is None:
        return None
    layers: dict[str, list[Tensor]] = {}
    for tensor in tensors(config):
        layers.setdefault(tensor.name.partition("/")[0], []).append(tensor)
    known: dict[str, str] = {}
    for layer, expected in layers.items():
        group = file.get(f"{prefix}/{layer}")
        if group is not None and f"{prefix}/{layer}" not in found:
            names = _strings(group, "weight_names")
            for name, meant in zip(names, _in_order(layer, names, expected)):
                if meant is not None:
                    known[f"{prefix}/{layer}/{name}"] = meant.h5
    return [(known.get(key, key), key) for key in found]


def _in_order(layer: str, names: list[str], expected: list[Tensor]) -> Iterator[Tensor | None]:
    """The tensor that each of a layer's variables is: by its name, else by its place in the list.

    Keras goes by place alone; sublayers were numbered, not named, in the oldest files. What a
    variable is called there, ``kernel`` or ``gamma``, must fit its place.
    """
    by_name = {tensor.name: tensor for tensor in expected}
    for i, name in enumerate(names):
        plain = name.removesuffix(":0")
        named = by_name.get(plain) or by_name.get(f"{layer}/{plain}")
        placed = expected[i] if len(names) == len(expected) else None
        if named is None and placed is not None and _last(placed.name) == _last(plain):
            named = placed
        yield named


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _has_layers(file: Any, prefix: str) -> bool:
    group = file.get(prefix or "/")
    return group is not None and ("layer_names" in group.attrs or "layer_names0" in group.attrs)


def _strings(group: Any, name: str) -> list[str]:
    """A list of strings that Keras keeps as an attribute, or as several numbered ones."""
    if name in group.attrs:
        parts = [group.attrs[name]]
    else:
        parts = []
        while f"{name}{len(parts)}" in group.attrs and len(parts) < _MAX_NAMES:
            parts.append(group.attrs[f"{name}{len(parts)}"])
    values = [value for part in parts for value in np.ravel(part).tolist()]
    return [v.decode("utf-8") if isinstance(v, bytes) else str(v) for v in values[:_MAX_NAMES]]
