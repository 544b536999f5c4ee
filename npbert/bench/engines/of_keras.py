"""Keras Hub's own BertBackbone on one of Keras's backends."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from npbert.bench.engines.base import F32, Engine, Setup, keras_inputs
from npbert.bench.works import Batch

Run = Callable[[dict[str, Any]], Any]


class KerasHub(Engine):
    """``BertBackbone.from_preset`` of the Hugging Face directory, called as its backend likes best.

    ``predict_on_batch`` costs a few milliseconds more, and on jax only one thread may call it.

    Args:
        backend: of Keras; it is chosen once a process.
    """

    def __init__(self, backend: str) -> None:
        self._backend = backend
        os.environ["KERAS_BACKEND"] = backend

    def load(self, setup: Setup) -> None:
        use_threads = _THREADS.get(self._backend)
        if use_threads is not None:
            use_threads(setup.threads)
        import keras_hub

        model: Any = keras_hub.models.BertBackbone.from_preset(str(setup.model))
        self._run: Run = _RUNS[self._backend](model)

    def settings(self) -> dict[str, str]:
        import keras

        jitted = "XLA" if self._backend in ("tensorflow", "jax") else "none"
        return {"backend": keras.backend.backend(), "jit": jitted, "activation": "gelu_approximate"}

    def feed(self, batch: Batch) -> Any:
        return keras_inputs(batch)

    def call(self, feed: Any) -> F32:
        return np.asarray(self._run(feed)["sequence_output"])


def _tensorflow_threads(count: int) -> None:
    import tensorflow

    tensorflow.config.threading.set_intra_op_parallelism_threads(count)
    tensorflow.config.threading.set_inter_op_parallelism_threads(1)


def _torch_threads(count: int) -> None:
    import torch

    torch.set_num_threads(count)


def _on_tensorflow(model: Any) -> Run:
    import tensorflow

    run: Run = tensorflow.function(lambda inputs: model(inputs, training=False), jit_compile=True)
    return run


def _on_jax(model: Any) -> Run:
    import jax

    @jax.jit
    def forward(weights: Any, state: Any, inputs: Any) -> Any:
        return model.stateless_call(weights, state, inputs, training=False)[0]

    weights = [variable.value for variable in model.trainable_variables]
    state = [variable.value for variable in model.non_trainable_variables]
    return lambda inputs: forward(weights, state, inputs)


def _on_torch(model: Any) -> Run:
    import torch

    def run(inputs: dict[str, Any]) -> Any:
        with torch.inference_mode():
            return model(inputs, training=False)

    return run


def _on_numpy(model: Any) -> Run:
    return lambda inputs: model(inputs, training=False)


# The others count the CPUs that they may run on, or the environment's OMP_NUM_THREADS.
_THREADS: Final = {"tensorflow": _tensorflow_threads, "torch": _torch_threads}
_RUNS: Final = {
    "tensorflow": _on_tensorflow,
    "jax": _on_jax,
    "torch": _on_torch,
    "numpy": _on_numpy,
}
