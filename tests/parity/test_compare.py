"""Two sources against each other: healthy pairs agree, an error is found where it was planted."""

from __future__ import annotations

import dataclasses
import math

import goldens
import numpy as np
import pytest
from parity.sides import Side, edited, golden, recorded
from text.tiny_model import write_tiny_model

from npbert.dtype_policy import numpy_dtype
from npbert.errors import ConfigError
from npbert.ops.layer_norm import layer_norm
from npbert.ops.pooler import pooler
from npbert.parity.compare import compare
from npbert.parity.sources import open_source
from npbert.weights.names import weight_shapes

CASE = "deep"  # L = 3
INPUTS = goldens.inputs(CASE)
LAYER = "transformer_layer_{}/"
KERNEL = {  # stage -> what is edited for it
    "query": "self_attention_layer/query/kernel",
    "value": "self_attention_layer/value/bias",
    "attention_output": "self_attention_layer/attention_output/kernel",
    "attention_layer_norm": "self_attention_layer_norm/gamma",
    "intermediate": "feedforward_intermediate_dense/bias",
    "output": "feedforward_output_dense/kernel",
    "output_layer_norm": "feedforward_layer_norm/beta",
}


def stage_of(report, name):
    return next(each for each in report.stages if each.stage == name)


# -- healthy pairs ---------------------------------------------------------------------------------


@pytest.mark.parametrize("case", goldens.CASES)
def test_float32_against_float64_agrees(case):
    report = compare(golden(case), golden(case, np.float64), inputs=goldens.inputs(case))
    assert report.verdict == "agree", report.first
    assert [each.stage for each in report.stages] == goldens.stages(goldens.config(case))
    assert (report.first, report.guilty, report.side, report.diagnosis) == (None,) * 4
    assert 0 < report.smallest_scale < 1
    assert not [note for note in report.notes if "rounding" in note]
    assert {each.relation for each in report.weights} == {"equal"}


@pytest.mark.parametrize("case", goldens.CASES)
def test_frameworks_agree(case):
    first, *others = goldens.float32_sources(case)
    for other in (*others, goldens.exact_source(case)):
        report = compare(golden(case, name="ours"), recorded(case, first))
        assert report.verdict == "agree", report.first
        assert compare(recorded(case, first), recorded(case, other)).verdict == "agree"


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("source", ["tf", "jax", "tf_mixed", "jax_mixed"])
@pytest.mark.parametrize("case", ["odd_width", "dropout_zero"])
def test_16_bits_agree_within_their_noise_and_it_is_said_what_that_hides(case, source, dtype):
    policy = goldens.load_bundle(goldens.GOLDEN / "policies" / case)
    half = Side(source, recorded=goldens.inputs(case), stages=policy.group(f"{source}_{dtype}"))
    kept_in = numpy_dtype("float32" if "mixed" in source else dtype)
    weights = {k: w.astype(kept_in).astype(np.float64) for k, w in goldens.weights(case).items()}
    report = compare(golden(case, tensors=weights, model=weights), half)
    assert report.verdict == "agree", report.first
    hidden = [note for note in report.notes if note.startswith("rounding hides errors of up to")]
    assert len(hidden) == 1


def test_what_was_rounded_to_16_bits_and_is_kept_in_more_differs():
    exact = golden(CASE, np.float64)
    rounded = {k: v.astype(np.float16).astype(np.float64) for k, v in exact.run(INPUTS).items()}
    assert compare(exact, Side("rounded", stages=rounded), inputs=INPUTS).verdict == "differ"


@pytest.mark.kernel
@pytest.mark.parametrize("policy", ["float16", "bfloat16"])
def test_a_side_that_says_it_is_of_16_bits_agrees_with_its_vectors_too(tmp_path, policy):
    """Though vectors are float32 in every policy."""
    directory = write_tiny_model(tmp_path / "model")
    a, b = (open_source(f"npbert:{directory}@{dtype}") for dtype in ("float32", policy))
    report = compare(a, b, texts=["the river runs", "an old stone mill"])
    assert {each.relation for each in report.weights} <= {"equal", f"kept in {policy}"}
    assert stage_of(report, "text.vector").dtypes == ("float32", "float32")
    assert report.verdict == "agree", report.first


# -- planted errors --------------------------------------------------------------------------------


@pytest.mark.parametrize("i", range(3))
@pytest.mark.parametrize("stage", KERNEL)
def test_an_error_is_found_at_its_op(stage, i):
    b = edited(CASE, LAYER.format(i) + KERNEL[stage], lambda w: w * np.float32(1.001))
    report = compare(golden(CASE), b, inputs=INPUTS, diagnose=True)
    where = f"layer.{i}.{stage}"
    assert (report.verdict, report.first, report.guilty, report.side) == (
        *("differ", where, where),
        "b",
    )
    found = stage_of(report, where)
    assert found.local[0] < 1e-6 < found.local[1]
    assert found.errors[0] < 1e-6 < found.errors[1]
    after = [each for each in report.stages if each.local[1] > 1e-5]
    assert [each.stage for each in after] == [where]
    assert report.smallest_scale > 10
    assert report.diagnosis.stage == where


def test_another_activation_is_found_and_named():
    config = dataclasses.replace(goldens.config("hf_deep_erf"), activation="gelu_approximate")
    inputs = goldens.inputs("hf_deep_erf")
    b = golden("hf_deep_erf", config=config)
    report = compare(golden("hf_deep_erf"), b, inputs=inputs)
    assert (report.first, report.guilty, report.side) == ("layer.0.activation",) * 2 + ("b",)
    assert 1e-5 < stage_of(report, report.first).difference.max_abs < 4.74e-4
    assert "tanh" in report.diagnosis.sentence


@pytest.mark.parametrize("hidden", [(), ("context", "attention_output", "_residual")])
def test_another_number_of_heads_is_named(hidden):
    """11 heads of 2 numbers, where 2 heads of 11 are meant; the kernels' numbers are the same."""
    config = dataclasses.replace(goldens.config(CASE), num_heads=11)
    weights = {
        name: tensor.reshape(weight_shapes(config)[name])
        for name, tensor in goldens.weights(CASE).items()
    }
    b = Side("b", config=config, tensors=weights, model=weights, hidden=hidden)
    said = compare(golden(CASE), b, inputs=INPUTS).diagnosis
    assert said.cause == "num_heads", said
    assert "joins 11 heads, where 2 are expected (in every layer)" in said.sentence
    assert said.error_after < 1e-5 < 1e-2 < said.error_before


@pytest.mark.parametrize("case", ["deep", "dropout_zero"])
def test_the_constants_that_tensorflow_rounds_in_float64_are_named(case):
    said = compare(golden(case, np.float64), recorded(case, "tf64")).diagnosis
    first = "scores" if case == "deep" else "context"  # the other path shows no scores
    assert (said.cause, said.stage) == ("constants_float32", f"layer.0.{first}"), said
    assert said.error_after < 1e-14 < 1e-9 < said.error_before < 1e-7


def test_the_side_that_is_wrong_is_named_by_as_weights():
    b = edited(CASE, LAYER.format(1) + KERNEL["output"], lambda w: w * np.float32(1.01))
    assert compare(golden(CASE), b, inputs=INPUTS, diagnose=False).side == "b"
    blind = dataclasses.replace(b, tensors=None)
    report = compare(blind, golden(CASE), inputs=INPUTS)
    assert (report.side, report.weights, report.first) == ("a", None, "layer.1.output")


def test_an_error_below_the_noise_is_found_in_its_op():
    """An epsilon of 1.5e-6 where the variance is about 1: less than all ops before add up to.

    The stages after it follow from it, as they would.
    """
    stages = dict(golden(CASE).run(INPUTS))
    weights = goldens.weights(CASE)
    names = (f"transformer_layer_2/feedforward_layer_norm/{name}" for name in ("gamma", "beta"))
    last = layer_norm(
        stages["layer.2.output_residual"], *(weights[name] for name in names), epsilon=1.5e-6
    )
    pooled = [weights[f"pooled_dense/{name}"] for name in ("kernel", "bias")]
    stages |= dict.fromkeys(("layer.2.output_layer_norm", "sequence_output"), last)
    stages["pooled_output"] = pooler(last, *pooled)
    report = compare(golden(CASE, np.float64), Side("eps", stages=stages), inputs=INPUTS)
    found = stage_of(report, "layer.2.output_layer_norm")
    assert found.difference.max_abs < found.tolerance
    assert found.difference.p99 < found.bulk
    assert (report.verdict, report.guilty, report.side) == ("differ", found.stage, "b")
    assert report.smallest_scale < 1
    said = "b's op at layer.2.output_layer_norm is off on its own input, though the difference is"
    assert any(note.startswith(said) for note in report.notes)


def test_replay_is_left_out_with_the_diagnosis():
    b = edited(CASE, LAYER.format(1) + KERNEL["output"], lambda w: w * np.float32(1.01))
    report = compare(golden(CASE), b, inputs=INPUTS, diagnose=False)
    assert (report.first, report.guilty, report.diagnosis) == ("layer.1.output", None, None)
    assert {each.local for each in report.stages} == {(None, None)}


def test_stages_that_are_hidden_do_not_accuse_what_follows():
    hidden = (".scores", ".probs", ".context", ".intermediate", ".activation", "_residual")
    report = compare(golden(CASE, np.float64), golden(CASE, hidden=hidden), inputs=INPUTS)
    assert report.verdict == "agree"
    assert any(
        note.startswith("only a shows activation, attention_residual") for note in report.notes
    )


def test_nan_on_one_side_differs_however_large_the_tolerance():
    stages = {k: v.copy() for k, v in golden(CASE).run(INPUTS).items()}
    stages["layer.1.key"][0, 0] = np.nan
    report = compare(golden(CASE), Side(stages=stages), inputs=INPUTS, tolerances={"*": 1e9})
    assert (report.verdict, report.first) == ("differ", "layer.1.key")
    assert report.smallest_scale == math.inf


# -- tolerances ------------------------------------------------------------------------------------


def test_a_tolerance_of_the_users():
    b = edited(CASE, LAYER.format(2) + KERNEL["output"], lambda w: w * np.float32(1.001))
    report = compare(golden(CASE), b, inputs=INPUTS, tolerances={"layer.2.*": 1, "*_output": 1})
    assert (report.verdict, report.first) == ("differ", None)  # the weights do
    assert "all stages agree on these inputs, but these weights differ" in " ".join(report.notes)
    with pytest.raises(ConfigError, match=r"unknown stage or pattern 'layer\.7\.\*'"):
        compare(golden(CASE), b, inputs=INPUTS, tolerances={"layer.7.*": 1})


def test_the_smallest_scale_would_just_pass():
    b = edited(CASE, LAYER.format(2) + KERNEL["output"], lambda w: w * np.float32(1.001))
    report = compare(golden(CASE), b, inputs=INPUTS, diagnose=False)
    scale = report.smallest_scale * (1 + 1e-9)
    given = {each.stage: each.tolerance * scale for each in report.stages}
    again = compare(golden(CASE), b, inputs=INPUTS, tolerances=given, diagnose=False)
    assert again.first is None
    assert again.smallest_scale <= 1
