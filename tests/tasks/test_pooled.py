"""Pooling and what follows it, against their definitions."""

from __future__ import annotations

import copy
import pickle
from itertools import pairwise

import numpy as np
import pytest
from simd.exact import assert_same_bits

from npbert.ops.pooling import POOLINGS, l2_normalize
from npbert.ops.projection import projection
from npbert.simd import buffers
from npbert.tasks.pooled import Head
from npbert.text.dense import DenseModule
from npbert.text.sentence_transformers import Modules, Step

D, OUT = 21, 19
STARTS = np.array([0, 4, 6, 13])
RANDOM = np.random.default_rng(3)
ROWS = RANDOM.standard_normal((13, D)).astype(np.float32)


def dense(inputs: int, activation: str, *, bias: bool = True) -> DenseModule:
    weight = RANDOM.normal(scale=0.2, size=(inputs, OUT)).astype(np.float32)
    shift = RANDOM.standard_normal(OUT).astype(np.float32)
    return DenseModule(weight, shift if bias else None, activation)  # type: ignore[arg-type]


def expected(modules: Modules, skip: int = 0) -> np.ndarray:
    """By the definitions, in float64."""
    x = np.concatenate([POOLINGS[m](np.float64(ROWS), STARTS, skip) for m in modules.modes], axis=1)
    for step in modules.steps:
        if step == "normalize":
            x = l2_normalize(x)
        else:
            bias = np.zeros(OUT) if step.bias is None else np.float64(step.bias)
            x = projection(x, np.float64(step.weight), bias, activation=step.activation)
    return x


STEPS: list[tuple[Step, ...]] = [
    (),
    ("normalize",),
    (dense(2 * D, "tanh"),),
    (dense(2 * D, "sigmoid", bias=False), "normalize"),
    ("normalize", dense(2 * D, "relu"), dense(OUT, "gelu"), "normalize"),
    (dense(2 * D, "identity"), dense(OUT, "tanh")),
]


@pytest.mark.kernel
@pytest.mark.parametrize("steps", STEPS, ids=len)
@pytest.mark.parametrize("skip", [0, 1])
def test_it_is_what_the_definitions_say(steps: tuple[Step, ...], skip: int) -> None:
    modules = Modules(("max", "weightedmean"), steps=steps)
    head = Head(modules, D)
    out = head(buffers.pad_columns(ROWS), STARTS, skip)
    width = OUT if any(step != "normalize" for step in steps) else 2 * D
    assert (head.dimension, out.shape) == (width, (3, buffers.padded(width)))
    assert not out[:, width:].any()
    np.testing.assert_allclose(out[:, :width], expected(modules, skip), rtol=1e-5, atol=1e-6)
    assert head.normalizes == (steps[-1:] == ("normalize",))


@pytest.mark.kernel
@pytest.mark.parametrize("mode", POOLINGS)
@pytest.mark.parametrize("skip", [0, 1, 3])
def test_every_mode(mode: str, skip: int) -> None:
    modules = Modules((mode,))
    out = Head(modules, D)(buffers.pad_columns(ROWS), STARTS, skip)
    np.testing.assert_allclose(out[:, :D], expected(modules, skip), rtol=1e-5, atol=1e-6)


@pytest.mark.kernel
@pytest.mark.parametrize("steps", STEPS, ids=len)
def test_a_text_does_not_know_the_others(steps: tuple[Step, ...]) -> None:
    head = Head(Modules(("mean", "cls"), steps=steps), D)
    whole = head(buffers.pad_columns(ROWS), STARTS)
    for b, (start, stop) in enumerate(pairwise(STARTS)):
        alone = head(buffers.pad_columns(ROWS[start:stop]), np.array([0, stop - start]))
        assert_same_bits(alone[0], whole[b])


@pytest.mark.kernel
def test_it_can_be_copied_and_pickled() -> None:
    head = Head(Modules(("mean", "cls"), steps=STEPS[4]), D)
    rows = buffers.pad_columns(ROWS)
    for other in (copy.deepcopy(head), pickle.loads(pickle.dumps(head))):
        assert_same_bits(other(rows, STARTS), head(rows, STARTS))


def test_kernels_are_those_it_needs() -> None:
    plain, with_dense = (Head(Modules(("mean", "cls"), steps=steps), D) for steps in STEPS[1:3])
    assert set(plain.kernels) < set(with_dense.kernels)
