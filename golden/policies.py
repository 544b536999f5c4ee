"""Keras Hub under the 16-bit dtype policies: what it computes, and how far that is from float64.

The bundle ``policies/NAME`` goes with the case ``NAME``, whose weights it does not repeat. A source
is a backend and a policy, ``tf_float16``, or ``tf64_DTYPE``: TensorFlow in float64, its variables
rounded to DTYPE first. Beside ``inputs.*`` and ``accuracy.inputs.*`` there are

============================  ===================================================================
key                           array
============================  ===================================================================
``accuracy.<source>.<name>``  the two outputs, in the policy's compute dtype
``rms_error.<source>``        (stages, A) float32: the root-mean-square error of each stage for each
                              sequence of the accuracy set; ``stages`` in the JSON names the rows
``largest_error.<source>``    (stages,) float32: the largest error over all those sequences
``<source>.<stage>``          every stage of the batch, in the compute dtype; of `STAGED` cases
``tf64_<dtype>.<name>``       the two outputs of the batch; of the same cases
============================  ===================================================================

An error is measured against the ``tf64_`` of the policy's own variables, so it is the arithmetic's
alone. The stages that the errors are of are not kept: they are a hundred times as large.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np

from golden.bundles import collect, new_bundle, write_bundle, write_part
from golden.cases import CASES, Arrays, Case, build
from npbert.dtype_policy import DTypePolicy, numpy_dtype
from npbert.parity.bundle import Bundle

POLICIES = ("float16", "bfloat16", "mixed_float16", "mixed_bfloat16")
BACKENDS = {"tensorflow": "tf", "jax": "jax"}
TRUTHS = ("float32", "float16", "bfloat16")
"""What variables may be kept in."""

OUTPUTS = ("sequence_output", "pooled_output")
STAGED = ("odd_width", "dropout_zero", "one_token", "no_layers")
"""Small, and both mask paths, every kind of mask and several layers are among them."""


def run_keras(work: Path, backend: str) -> None:
    """Leave every stage of every case, of its batch and of its accuracy set, under every policy."""
    for case in CASES:
        for policy in POLICIES:
            variables = DTypePolicy(policy).variable_dtype
            _run_case(work, case, f"{BACKENDS[backend]}_{policy}", policy, variables)
        if backend == "tensorflow":  # the only one that computes in float64
            for variables in TRUTHS:
                _run_case(work, case, f"tf64_{variables}", "float64", variables)


def _run_case(work: Path, case: Case, source: str, policy: str, variables: str) -> None:
    from golden import keras_side

    arrays, weights = build(case)
    rounded = {name: a.astype(numpy_dtype(variables)) for name, a in weights.items()}
    if policy == "float64":
        rounded = {name: a.astype(np.float64) for name, a in rounded.items()}
    model = keras_side.make_backbone(case.config, rounded, policy)
    recorder = keras_side.attach(model)
    found: Arrays = {}
    for prefix in ("", "accuracy."):
        inputs = keras_side.inputs_of(arrays, f"{prefix}inputs.")
        stages = keras_side.run_stages(model, recorder, inputs)
        keras_side.check_dtypes(stages, DTypePolicy(policy).compute_dtype)
        found |= {f"{prefix}{source}.{stage}": a for stage, a in stages.items()}
    write_part(work, _part(case), source, found)


def _part(case: Case) -> str:
    return f"policies/{case.name}"


def write_policies(work: Path) -> None:
    """Every bundle, from the parts that the workers left."""
    for case in CASES:
        found = Bundle({}, collect(work, _part(case)))
        arrays = build(case)[0] | dict(_outputs(found)) | dict(_errors(found))
        if case.name in STAGED:
            arrays |= dict(_stages(found))
        bundle = new_bundle(
            case.name,
            f"{case.about}; Keras Hub's 16-bit policies, on the weights of the case of this name",
            case.config,
            arrays,
            seed=case.seed,
            masks=list(case.masks),
            call="model(inputs), eager",
            stages=_names(found),
        )
        write_bundle(work / "out" / _part(case), bundle)


def _sources() -> Iterator[tuple[str, str]]:
    """Each source with the truth that it is measured against."""
    for policy in POLICIES:
        for backend in BACKENDS.values():
            yield f"{backend}_{policy}", f"tf64_{DTypePolicy(policy).variable_dtype}"


def _names(found: Bundle) -> list[str]:
    """Every stage that all sources show."""
    return sorted(found.group("tf_float16"))


def _outputs(found: Bundle) -> Iterator[tuple[str, np.ndarray]]:
    for source, _ in _sources():
        for name in OUTPUTS:
            key = f"accuracy.{source}.{name}"
            yield key, found.arrays[key]


def _errors(found: Bundle) -> Iterator[tuple[str, np.ndarray]]:
    for source, truth in _sources():
        theirs, exact = found.group(f"accuracy.{source}"), found.group(f"accuracy.{truth}")
        errors = [np.abs(theirs[name] - exact[name]) for name in _names(found)]
        rms = [np.sqrt(np.square(e).mean(axis=tuple(range(1, e.ndim)))) for e in errors]
        yield f"rms_error.{source}", np.float32(rms)
        yield f"largest_error.{source}", np.float32([e.max() for e in errors])


def _stages(found: Bundle) -> Iterator[tuple[str, np.ndarray]]:
    for key, array in found.arrays.items():
        source, _, stage = key.partition(".")
        exact = source.startswith("tf64_")
        if source != "accuracy" and (stage in OUTPUTS or not exact):
            yield key, array
