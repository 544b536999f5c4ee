"""The ``.h5`` of Keras before version 3, which keras-nlp 0.6 and older published BERT in.

A group for each layer, by the layer's name, and in it the layer's variables by theirs; a whole
model has them below ``/model_weights``, beside a ``model_config`` that is never read.

Keras assigns a layer's variables by their order in its attribute ``weight_names``. That is not read
here: strings of no fixed length are in HDF5's global heaps, and HDF5 2.0 and older read a damaged
one for ever, or into memory without end. The names alone say as much: sublayers have one of their
own, or were numbered as they were made, which is the same order.

Source: keras/src/legacy/saving/legacy_h5_format.py, ``save_subset_weights_to_hdf5_group``;
keras_nlp 0.6, layers/modeling/transformer_encoder.py, ``TransformerEncoder.build``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from npbert.config import BertConfig
from npbert.weights.names import Tensor, tensors

_WHOLE_MODEL: Final = "/model_weights"
_NUMBER: Final = re.compile(r"_(\d{1,9})$")
_AUTOMATIC: Final = ("multi_head_attention", "layer_normalization", "dense")
_PROJECTIONS: Final = ("query", "key", "value", "attention_output")


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
    layers: dict[str, dict[str, str]] = {}
    for key in found:
        layer, _, name = key.removeprefix(f"{prefix}/").partition("/")
        layers.setdefault(layer, {})[name.removesuffix(":0")] = key
    expected: dict[str, list[Tensor]] = {}
    for tensor in tensors(config):
        expected.setdefault(tensor.name.partition("/")[0], []).append(tensor)
    known = {
        keys[name]: tensor.h5
        for layer, keys in layers.items()
        for name, tensor in _meant(layer, list(keys), expected.get(layer, []))
    }
    return [(known.get(key, key), key) for key in found]


def _has_layers(file: Any, prefix: str) -> bool:
    group = file.get(prefix or "/")
    return group is not None and ("layer_names" in group.attrs or "layer_names0" in group.attrs)


def _meant(layer: str, names: list[str], expected: list[Tensor]) -> Iterator[tuple[str, Tensor]]:
    """The tensor that each of a layer's variables is, as far as that is certain."""
    by_name = {tensor.name: tensor for tensor in expected}
    numbered: dict[tuple[str, str], list[str]] = {}
    for name in names:
        tensor = by_name.pop(name, None) or by_name.pop(f"{layer}/{name}", None)
        if tensor is not None:
            yield name, tensor
        elif _sublayer(name) in (*_AUTOMATIC, *_plain(layer)):
            numbered.setdefault(_role(name), []).append(name)
    for role, same in numbered.items():
        wanted = [tensor for tensor in by_name.values() if _role(tensor.name) == role]
        # One sublayer of this kind, or several that differ in their numbers alone.
        if len(same) == len(wanted) and len({tuple(_plain(name)) for name in same}) == 1:
            yield from zip(sorted(same, key=_numbers), wanted)


def _role(name: str) -> tuple[str, str]:
    """What a variable is: its own name, and in attention its projection's."""
    *_, projection, own = ["", *_plain(name)]
    return projection if projection in _PROJECTIONS else "", own


def _sublayer(name: str) -> str:
    """The name of the layer that a variable belongs to, a projection's attention."""
    parts = ["", "", *_plain(name)]
    return parts[-3] if parts[-2] in _PROJECTIONS else parts[-2]


def _plain(name: str) -> list[str]:
    """A path's parts, such as ``["dense", "kernel"]``, without numbers."""
    return [_NUMBER.sub("", part) for part in name.split("/")]


def _numbers(name: str) -> list[int]:
    """The numbers of a path's parts; the first of its kind has none."""
    found = [_NUMBER.search(part) for part in name.split("/")]
    return [int(match[1]) if match else -1 for match in found]
