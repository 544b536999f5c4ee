"""Wrong configs and wrong inputs, and what a library makes of them: an error, NaN, or a result."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
from typing import Any

import numpy as np

CONFIG: dict[str, Any] = {
    "vocabulary_size": 30,
    "num_layers": 2,
    "num_heads": 3,
    "hidden_dim": 12,
    "intermediate_dim": 17,
    "max_sequence_length": 10,
    "num_segments": 4,
}

# As Keras Hub 0.32 refuses them; on JAX an id out of range gives NaN.
REFUSED_CONFIGS: dict[str, dict[str, Any]] = {
    "vocabulary_size 0": {"vocabulary_size": 0},
    "vocabulary_size negative": {"vocabulary_size": -3},
    "vocabulary_size a fraction": {"vocabulary_size": 3.5},
    "num_segments 0": {"num_segments": 0},
    "hidden_dim 0": {"hidden_dim": 0},
    "intermediate_dim 0": {"intermediate_dim": 0},
    "num_heads 0": {"num_heads": 0},
    "num_heads above hidden_dim": {"num_heads": 16},
    "dropout above 1": {"dropout": 1.5},
    "dropout negative": {"dropout": -0.1},
    "dropout None": {"dropout": None},
    "max_sequence_length None": {"max_sequence_length": None},
    "dtype unknown": {"dtype": "foo"},
}

ACCEPTED_CONFIGS: dict[str, dict[str, Any]] = {
    "num_layers negative": {"num_layers": -1},
    "num_heads no divisor": {"num_heads": 5},
    "max_sequence_length 0": {"max_sequence_length": 0},
    "argument unknown": {"foo": 1},
}
"""What Keras lets through and npbert does not."""


def _inputs(tokens: int = 7, **changed: Any) -> dict[str, Any]:
    ids = np.arange(2 * tokens, dtype=np.int32).reshape(2, tokens) % 30
    inputs = {"token_ids": ids, "segment_ids": ids * 0, "padding_mask": ids * 0 + 1}
    return {**inputs, **changed}


def _without(name: str) -> dict[str, Any]:
    return {key: array for key, array in _inputs().items() if key != name}


def _with_id(name: str, value: int) -> dict[str, Any]:
    inputs = _inputs()
    inputs[name][1, 3] = value
    return inputs


REFUSED_INPUTS: dict[str, Any] = {
    "token id past the vocabulary": _with_id("token_ids", 30),
    "token id far below 0": _with_id("token_ids", -31),
    "segment id past the table": _with_id("segment_ids", 4),
    "more tokens than positions": _inputs(11),
    "no tokens": _inputs(0),
    "no padding_mask": _without("padding_mask"),
    "no segment_ids": _without("segment_ids"),
    "no token_ids": _without("token_ids"),
    "one axis": {name: array[0] for name, array in _inputs().items()},
    "three axes": {name: np.stack([array, array], -1) for name, array in _inputs().items()},
    "nested lists": [[1, 2, 3]],
    "padding_mask of another length": _inputs(padding_mask=np.ones((2, 6), np.int32)),
    "segment_ids of another length": _inputs(segment_ids=np.zeros((2, 6), np.int32)),
}

ACCEPTED_INPUTS: dict[str, Any] = {
    "token id -1": _with_id("token_ids", -1),
    "an extra key": _inputs(positions=np.zeros((2, 7), np.int32)),
    "padding_mask of length 1": _inputs(padding_mask=np.ones((2, 1), np.int32)),
    "ids with fractions": _inputs(token_ids=np.full((2, 7), 1.9)),
}
"""What Keras wraps, broadcasts, cuts off or mixes up, and npbert refuses."""


def every() -> dict[str, Callable[[Any], Any]]:
    """Each mistake by name: given the library, it makes it."""
    configs = {**REFUSED_CONFIGS, **ACCEPTED_CONFIGS}
    inputs = {**REFUSED_INPUTS, **ACCEPTED_INPUTS}
    return {name: partial(_build, changed=changed) for name, changed in configs.items()} | {
        name: partial(_call, inputs=wrong) for name, wrong in inputs.items()
    }


def _build(keras_hub: Any, changed: dict[str, Any]) -> Any:
    return keras_hub.models.BertBackbone(**{**CONFIG, **changed})


def _call(keras_hub: Any, inputs: Any) -> Any:
    return model(keras_hub)(inputs)


@cache
def model(keras_hub: Any) -> Any:
    """The library's model of `CONFIG`."""
    return keras_hub.models.BertBackbone(**CONFIG)


def run(keras_hub: Any) -> dict[str, str]:
    """What Keras does: ``"error"``, ``"nan"`` or ``"result"``."""
    return {name: _outcome(make, keras_hub) for name, make in every().items()}


def empty_batch(keras_hub: Any) -> dict[str, list[int]]:
    """The shapes that no sequences at all give: no mistake, for either library."""
    nothing = np.zeros((0, 7), np.int32)
    names = ("token_ids", "segment_ids", "padding_mask")
    outputs = model(keras_hub)(dict.fromkeys(names, nothing))
    return {name: list(array.shape) for name, array in outputs.items()}


def _outcome(make: Callable[[Any], Any], keras_hub: Any) -> str:
    try:
        made = make(keras_hub)
    except Exception:  # whatever the backend raises
        return "error"
    if isinstance(made, dict) and not np.isfinite(np.asarray(made["sequence_output"])).all():
        return "nan"
    return "result"
