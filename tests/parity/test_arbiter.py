"""The float64 run: whose model it is, how far each side is from it, and which op is off."""

from __future__ import annotations

import dataclasses

import goldens
import numpy as np
import pytest
from parity.sides import Side, edited, golden

from npbert.parity.arbiter import Arbiter, find_model, takes

CASE = "deep"
INPUTS = goldens.inputs(CASE)
DENSE = "transformer_layer_1/feedforward_output_dense/kernel"


def arbiter(case=CASE):
    side = golden(case)
    return Arbiter(find_model(side, side, (side.tensors, side.tensors)), goldens.inputs(case))


def test_the_model_is_as_and_else_bs():
    a, b, none = golden(CASE), golden(CASE), Side()
    assert find_model(a, b, (a.tensors, b.tensors)).side == "a"
    assert find_model(none, b, (None, b.tensors)).side == "b"
    assert find_model(none, none, (None, None)) is None
    part = {name: tensor for name, tensor in a.tensors.items() if "layer_1" not in name}
    assert find_model(a, b, (part, b.tensors)).side == "b"
    other = {**a.tensors, DENSE: a.tensors[DENSE].T}
    assert find_model(a, a, (other, other)) is None


def test_a_model_without_a_pooler_is_whole():
    a = golden(CASE)
    tensors = {name: w for name, w in a.tensors.items() if not name.startswith("pooled")}
    assert find_model(a, a, (tensors, tensors)).weights is tensors


@pytest.mark.parametrize(
    ("name", "value"),
    [("token_ids", 29), ("token_ids", -1), ("segment_ids", 4), ("segment_ids", -3)],
)
def test_ids_that_are_in_no_table(name, value):
    side = golden(CASE)
    model = find_model(side, side, (side.tensors, None))
    assert takes(model, INPUTS)
    ids = INPUTS[name].copy()
    ids[1, 2] = value
    assert not takes(model, {**INPUTS, name: ids})
    assert not takes(
        dataclasses.replace(model, config=dataclasses.replace(model.config, max_sequence_length=5)),
        INPUTS,
    )


@pytest.mark.parametrize("case", ["deep", "hf_deep_erf", "dropout_zero", "one_token"])
def test_errors_are_those_from_float64(case):
    exact, single = (golden(case, dtype).run(goldens.inputs(case)) for dtype in (float, np.float32))
    found = arbiter(case).errors(exact, single)
    assert list(found) == goldens.stages(goldens.config(case))
    for stage, (none, rounding) in found.items():
        assert none == (0, 0), stage
        assert rounding.largest < 1e-5
    assert found["pooled_output"][1].largest > 0


def test_stages_that_a_side_lacks_or_has_in_another_shape():
    stages = golden(CASE).run(INPUTS)
    odd = {"layer.0.query": stages["layer.0.query"][:, 1:]}
    assert arbiter().local_errors(odd) == {}
    found = arbiter().errors(stages, odd)
    assert found["layer.0.query"][1] is None
    assert found["layer.0.key"][1] is None
    assert found["layer.0.key"][0] is not None


def test_an_inherited_error_is_not_the_ops():
    stages = edited(CASE, DENSE, lambda w: w * 1.01).run(INPUTS)
    found = arbiter().local_errors({**stages, "unheard of": stages["layer.0.query"]})
    assert list(found) == goldens.stages(goldens.config(CASE))
    guilty = {stage for stage, error in found.items() if error.largest > 1e-5}
    assert guilty == {"layer.1.output"}
    assert arbiter().errors(stages)["layer.2.query"][0].largest > 1e-4


def test_padding_does_not_count():
    stages = {k: v.copy() for k, v in golden(CASE).run(INPUTS).items()}
    row = int(INPUTS["padding_mask"].any(axis=1).argmin()) - 1  # before the empty one
    dropped = INPUTS["padding_mask"][row] == 0
    assert dropped.any()
    stages["layer.0.query"][row, dropped] = np.nan
    assert arbiter().errors(stages)["layer.0.query"][0].largest < 1e-5
