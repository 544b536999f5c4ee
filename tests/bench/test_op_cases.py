"""Inputs for every op."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.bench import op_cases, works
from npbert.bench.models import MODELS
from npbert.ops.registry import OPS

TINY = MODELS["tiny"].config


def test_every_op_of_the_registry_has_its_cases():
    assert list(op_cases._MAKE) == list(OPS)
    ops = [case.op for case in op_cases.cases(TINY, 2, 19)]
    assert set(ops) == set(OPS) - {"attention"}  # which the profile has
    assert ops.count("dense") == 4


@pytest.mark.kernel
@pytest.mark.parametrize("case", [*op_cases.cases(TINY, 2, 19)], ids=lambda c: f"{c.op} {c.shape}")
def test_every_case_runs(case):
    found = case.run()
    assert case.op == "softmax" or np.isfinite(found).all()
    assert bool(case.flops) != bool(case.bytes)


def test_the_steps_add_up_to_the_pass():
    config = MODELS["bert-base"].config
    each = op_cases.step_flops(config, 8, 128)
    assert each[op_cases.WHOLE] == works.flops(config, [128] * 8)
    assert set(each) - {op_cases.WHOLE} < {*op_cases.LAYER}


def test_steps_by_name_or_by_kernel():
    assert op_cases.step_names(1, ["k"] * 12)[-5:] == [
        *("GELU, by itself", "output + residual", "layer norm", "pooler", "pooler")
    ]
    assert op_cases.step_names(1, ["a", "b"]) == ["a", "b"]
