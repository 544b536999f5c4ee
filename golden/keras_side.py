"""Run the real Keras Hub BertBackbone and record what its layers receive and return.

The stages are read by wrapping ``call`` of the built layers, so each recorded array is one that a
Keras layer was given or gave. With ``dropout == 0`` Keras computes attention in one fused
operation; ``scores`` and ``probs`` then exist nowhere and are not recorded.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import keras_hub
import numpy as np

from golden.bundles import write_part
from golden.cases import CASES, Arrays, Case, build

KERAS_FIELDS = (
    "vocabulary_size",
    "num_layers",
    "num_heads",
    "hidden_dim",
    "intermediate_dim",
    "dropout",
    "max_sequence_length",
    "num_segments",
)


class Recorder:
    """Keeps arrays by stage while switched on; the layers are wrapped once."""

    def __init__(self) -> None:
        self.stages: Arrays | None = None

    def keep(self, stage: str, value: Any) -> None:
        if self.stages is not None:
            self.stages[stage] = to_numpy(value)

    def wrap(
        self, function: Callable[..., Any], received: str | None, returned: str | None
    ) -> Callable[..., Any]:
        """The same function, keeping its first argument and its result under these stages."""

        def wrapped(first: Any, *args: Any, **kwargs: Any) -> Any:
            if received:
                self.keep(received, first)
            result = function(first, *args, **kwargs)
            if returned:
                self.keep(returned, result)
            return result

        return wrapped

    def layer(self, layer: Any, received: str | None = None, returned: str | None = None) -> None:
        layer.call = self.wrap(layer.call, received, returned)


def attach(model: Any) -> Recorder:
    """Wrap every layer of a built backbone that shows a stage."""
    recorder = Recorder()
    recorder.layer(model.token_embedding, returned="embeddings.token")
    recorder.layer(model.position_embedding, returned="embeddings.position")
    recorder.layer(model.segment_embedding, returned="embeddings.segment")
    recorder.layer(model.embeddings_add, returned="embeddings.sum")
    recorder.layer(model.embeddings_layer_norm, returned="embeddings.layer_norm")
    for i, layer in enumerate(model.transformer_layers):
        _attach_layer(recorder, layer, f"layer.{i}")
    return recorder


def _attach_layer(recorder: Recorder, layer: Any, at: str) -> None:
    attention = layer._self_attention_layer
    recorder.layer(attention.query_dense, returned=f"{at}.query")
    recorder.layer(attention.key_dense, returned=f"{at}.key")
    recorder.layer(attention.value_dense, returned=f"{at}.value")
    recorder.layer(attention._softmax, received=f"{at}.scores", returned=f"{at}.probs")
    recorder.layer(
        attention.output_dense, received=f"{at}.context", returned=f"{at}.attention_output"
    )
    recorder.layer(
        layer._self_attention_layer_norm,
        received=f"{at}.attention_residual",
        returned=f"{at}.attention_layer_norm",
    )
    dense = layer._feedforward_intermediate_dense
    dense.activation = recorder.wrap(dense.activation, f"{at}.intermediate", f"{at}.activation")
    recorder.layer(layer._feedforward_output_dense, returned=f"{at}.output")
    recorder.layer(
        layer._feedforward_layer_norm,
        received=f"{at}.output_residual",
        returned=f"{at}.output_layer_norm",
    )


def make_backbone(config: dict[str, Any], weights: Arrays, dtype: str) -> Any:
    """A BertBackbone with these weights, every variable assigned exactly once."""
    model = keras_hub.models.BertBackbone(**{k: config[k] for k in KERAS_FIELDS}, dtype=dtype)
    variables = {variable.path: variable for variable in model.weights}
    if variables.keys() != weights.keys():
        raise AssertionError(f"other weight names: {variables.keys() ^ weights.keys()}")
    for path, variable in variables.items():
        variable.assign(weights[path])
    return model


def run_cases(work: Path, source: str, dtype: str) -> None:
    """Leave this source's part of every case."""
    for case in CASES:
        write_part(work, case.name, source, run_case(case, source, dtype))


def run_case(case: Case, source: str, dtype: str) -> Arrays:
    """The stages of the case's batch and the outputs of its accuracy set, under bundle keys."""
    arrays, weights = build(case)
    model = make_backbone(case.config, weights, dtype)
    recorder = attach(model)
    batch = inputs_of(arrays, "inputs.")
    every = dtype == "float64" or case.float32_stages
    stages = run_stages(model, recorder, batch) if every else run(model, batch)
    accuracy = run(model, inputs_of(arrays, "accuracy.inputs."))  # the outputs alone
    check_dtypes(stages | accuracy, dtype)
    return {f"{source}.{k}": a for k, a in stages.items()} | {
        f"accuracy.{source}.{k}": a for k, a in accuracy.items()
    }


def inputs_of(arrays: Arrays, prefix: str) -> Arrays:
    """The three inputs of the backbone from a bundle's arrays."""
    names = ("token_ids", "segment_ids", "padding_mask")
    return {name: arrays[prefix + name] for name in names}


def run_stages(model: Any, recorder: Recorder, inputs: Arrays) -> Arrays:
    """Every stage of an eager call, the two outputs last; afterwards nothing more is recorded."""
    recorder.stages = {}
    outputs = run(model, inputs)
    stages, recorder.stages = recorder.stages, None
    return stages | outputs


def run(model: Any, inputs: Arrays) -> Arrays:
    """``sequence_output`` (B, T, D) and ``pooled_output`` (B, D) of an eager call."""
    outputs = model(inputs)
    return {name: to_numpy(outputs[name]) for name in ("sequence_output", "pooled_output")}


def check_dtypes(arrays: Arrays, dtype: str) -> None:
    """A backend that quietly computes in another width must not become a golden."""
    wrong = {name: str(a.dtype) for name, a in arrays.items() if a.dtype.name != dtype}
    if wrong:
        raise AssertionError(f"asked for {dtype}, got {wrong}")


def to_numpy(value: Any) -> np.ndarray[Any, Any]:
    """A copy: an array of TensorFlow's or JAX's own memory may be reused."""
    return np.array(keras.ops.convert_to_numpy(value))
