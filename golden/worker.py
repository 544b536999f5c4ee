"""One backend's share of the goldens; `golden.generate` starts one process of this per backend.

A process has one Keras backend for its whole life, chosen by ``KERAS_BACKEND`` before the import,
so this module imports a framework only after it knows which one it is to be.
"""

from __future__ import annotations

import os
import sys
import warnings
from pathlib import Path

# float64 only from TensorFlow: JAX's policy of that name computes in float32, and the NumPy
# backend rounds half its layers (keras_hub 0.32, keras 3.15).
KERAS_SOURCES = {
    "tensorflow": {"tf64": "float64", "tf32": "float32"},
    "jax": {"jax32": "float32"},
}

WORKERS = ("torch", *KERAS_SOURCES, "tokens")
"""In this order: the Keras workers read a directory that the first one writes."""


def main(backend: str, work: Path) -> None:
    """Write this backend's parts under ``work``; its presets under ``work/out/presets``."""
    _set_environment(backend)
    # Keras warns of every softmax over one key, which is what the case with T = 1 is about.
    warnings.filterwarnings("ignore", message="You are using a softmax over axis")
    if backend == "torch":
        from golden import hugging_face, lessons, tasks

        hugging_face.run_all(work)
        tasks.run_hugging_face(work)
        lessons.run_all(work)
        return
    if backend == "tokens":
        os.environ["KERAS_BACKEND"] = "tensorflow"
        from golden import hugging_face_tokens, tokens

        tokens.run_all(work)
        hugging_face_tokens.run_all(work)
        return
    os.environ["KERAS_BACKEND"] = backend
    if backend == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
    from golden import keras_presets, keras_side, policies, tasks, toy

    for source, dtype in KERAS_SOURCES[backend].items():
        keras_side.run_cases(work, source, dtype)
        keras_presets.run_all(work, source, dtype)
        tasks.run_keras(work, source, dtype)
        toy.run_keras(work, source, dtype)
    policies.run_keras(work, backend)


def _set_environment(backend: str) -> None:
    # A product split over threads sums in another order: one thread makes a run repeatable.
    os.environ["OMP_NUM_THREADS"] = "1"
    os.environ["XLA_FLAGS"] = "--xla_cpu_multi_thread_eigen=false"
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    os.environ["HF_HUB_OFFLINE"] = "1"
    if backend == "torch":
        import torch

        torch.set_num_threads(1)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
