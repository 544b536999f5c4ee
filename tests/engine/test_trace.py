"""Stages in the shapes of the definitions, whatever order the kernels keep them in."""

from __future__ import annotations

import goldens
import numpy as np
import pytest

from npbert import reference
from npbert.dtype_policy import numpy_dtype
from npbert.engine.inputs import check_inputs
from npbert.engine.trace import trace
from npbert.simd.precision import PRECISIONS

pytestmark = pytest.mark.kernel

every_precision = pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)


def traced(case, precision):
    """The stages as kernels leave them: in float32 or float64."""
    engine, batch = goldens.backbone(case, dtype=precision.name)._engine, goldens.inputs(case)
    plan = engine._plan(check_inputs(batch, engine.config), skip_padding=False)
    return trace(engine.weights, plan, batch["token_ids"].shape[1])


@pytest.mark.parametrize("dtype", ["float32", "float64", "bfloat16"])
@pytest.mark.parametrize("case", ["odd_width", "one_head", "dropout_zero", "no_layers", "long"])
def test_names_order_and_shapes_are_the_references(case, dtype):
    wanted = {}
    reference.forward(
        goldens.config(case),
        goldens.weights(case),
        **goldens.inputs(case),
        seen=lambda name, value: wanted.update({name: value.shape}),
    )
    _, stages = goldens.backbone(case, dtype=dtype).run_with_cache(goldens.inputs(case))
    assert {name: value.shape for name, value in stages.items()} == wanted
    assert list(stages) == list(wanted)


def test_stages_are_copies():
    model, batch = goldens.backbone("deep"), goldens.inputs("deep")
    outputs, stages = model.run_with_cache(batch)
    names = [name for name in stages if name not in outputs]
    for i, name in enumerate(names):
        for other in names[i + 1 :]:
            assert not np.shares_memory(stages[name], stages[other]), (name, other)


def test_scores_are_there_for_masked_keys_too_and_probabilities_are_not():
    batch = goldens.inputs("odd_width")
    _, stages = goldens.backbone("odd_width").run_with_cache(batch)
    scores, probs = stages["layer.0.scores"], stages["layer.0.probs"]  # (B, N, T, T)
    masked = np.broadcast_to((batch["padding_mask"] == 0)[:, None, None, :], probs.shape)
    assert scores[masked].all()
    assert not probs[masked].any()
    some = batch["padding_mask"].any(axis=1)
    np.testing.assert_allclose(probs[some].sum(axis=-1), 1, rtol=1e-6)


@pytest.mark.parametrize("case", ["odd_width", "dropout_zero"])
@every_precision
def test_what_is_rounded(case, precision):
    """Every stage in 16 bits, but for the scores where Keras's fused path keeps them in float32."""
    computes = numpy_dtype(precision.rounded or precision.real)
    exempt = (
        {"layer.0.scores"} if goldens.config(case).dropout == 0 and precision.rounded else set()
    )
    found = set()
    for name, value in traced(case, precision).items():
        if not np.array_equal(value.astype(computes).astype(value.dtype), value):
            found.add(name)
    assert found == exempt


@every_precision
def test_an_added_stage_is_the_sum_of_its_parts(precision):
    """Tracing runs the dense layer twice, without and with the residual: the same bits.

    In 16 bits, both summands are rounded, and their sum once more: what adding them does.
    """
    model = goldens.backbone("deep", dtype=precision.name)
    _, stages = model.run_with_cache(goldens.inputs("deep"))
    for i in range(3):
        at = f"layer.{i}"
        before = f"layer.{i - 1}.output_layer_norm" if i else "embeddings.layer_norm"
        residual = stages[f"{at}.attention_output"] + stages[before]
        np.testing.assert_array_equal(residual, stages[f"{at}.attention_residual"])
        residual = stages[f"{at}.output"] + stages[f"{at}.attention_layer_norm"]
        np.testing.assert_array_equal(residual, stages[f"{at}.output_residual"])
