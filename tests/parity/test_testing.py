"""What tests of models are given: silence where all is well, and else everything in the message."""

from __future__ import annotations

import subprocess
import sys

import goldens
import numpy as np
import pytest
from parity.sides import Side, edited, golden, recorded

from npbert.errors import ConfigError, InputTypeError, ModelFileError
from npbert.parity import testing
from npbert.parity.record import record
from npbert.parity.testing import assert_close, assert_parity
from npbert.reference import forward

CASE = "deep"
STEM = goldens.GOLDEN / CASE
EXPECTED = np.float32([[1, -2, 0], [8, 4, 0.5]])


def message(call, *args, **settings):
    with pytest.raises(AssertionError) as error:
        call(*args, **settings)
    return str(error.value)


# -- assert_close ----------------------------------------------------------------------------------


def test_what_rounding_does_passes():
    assert_close(EXPECTED, EXPECTED, "layer.3.query")
    assert_close(EXPECTED * np.float32(1 + 1e-6), EXPECTED, "layer.3.query")
    assert_close(EXPECTED.tolist(), EXPECTED.astype(np.float64), "layer.3.query")
    assert_close(EXPECTED + 0.25, EXPECTED, "layer.3.query", atol=0.25)
    assert_close(EXPECTED.astype(np.float16) * np.float16(1.001), EXPECTED, "sequence_output")
    assert_close(np.float32([np.nan, np.inf]), np.float32([np.nan, np.inf]), "anything")
    assert_close(np.zeros((0, 3)), np.zeros((0, 3)), "pooled_output")


def test_the_message():
    actual = EXPECTED + np.float32([[0, 0, 0.25], [0, 0.5, 0]])
    assert message(assert_close, actual, EXPECTED, "layer.1.output") == (
        "layer.1.output is not close.\n"
        "\n"
        "Mismatched elements: 2 / 6 (33.3%)\n"
        "Greatest absolute difference: 0.5 at index (1, 1) (4.5, expected 4)\n"
        "Greatest relative difference: inf at index (0, 2) (0.25, expected 0)\n"
        "Units in the last place: 8.389e+06, 99th percentile 8.389e+06\n"
        "Allowed absolute difference: 3.05e-05: a sum of products, "
        "whose order is every engine's own"
    )
    said = message(assert_close, actual, EXPECTED, "layer.1.output", atol=0.3)
    assert "Mismatched elements: 1 / 6 (16.7%)" in said
    assert said.endswith("Allowed absolute difference: 3.00e-01: as given")


def test_not_a_number():
    actual = EXPECTED.copy()
    actual[1, 2] = np.nan
    said = message(assert_close, actual, EXPECTED, "sequence_output")
    assert "Greatest absolute difference: inf at index (1, 2) (nan, expected 0.5)" in said
    assert "NaN or infinite: 1 values, expected 0" in said


def test_shapes():
    said = message(assert_close, EXPECTED, EXPECTED.T, "layer.0.key")
    assert said == "layer.0.key: the shapes differ: (2, 3), expected (3, 2)"


def test_padding_is_not_looked_at():
    expected = np.ones((2, 3, 4), np.float32)
    actual = expected.copy()
    actual[1, 2] = 5
    mask = [[1, 1, 1], [1, 1, 0]]
    assert_close(actual, expected, "sequence_output", padding_mask=mask)
    actual[0, 1, 3] = 2
    said = message(assert_close, actual, expected, "sequence_output", padding_mask=mask)
    assert "Mismatched elements: 1 / 20 (5.0%)" in said
    assert "difference: 1 at index (0, 1, 3)" in said


def test_no_numbers():
    with pytest.raises(InputTypeError, match=r"no array of numbers[^$]*actual"):
        assert_close(["a"], [1.0], "sequence_output")


# -- assert_parity ---------------------------------------------------------------------------------


@pytest.mark.kernel
def test_a_backbone_against_a_bundle():
    for source in goldens.float32_sources(CASE):
        assert_parity(goldens.backbone(CASE), f"{STEM}#{source}")
        assert_parity(goldens.backbone(CASE), f"bundle:{STEM}.json#{source}")


def test_sources_functions_and_bundles_in_memory(tmp_path):
    bundle = record(golden(CASE), tmp_path / "x", inputs=goldens.inputs(CASE))
    assert_parity(golden(CASE), bundle)
    assert_parity(golden(CASE), tmp_path / "x")
    assert_parity(golden(CASE, np.float64), golden(CASE))

    def function(*inputs):
        return forward(goldens.config(CASE), goldens.weights(CASE), *inputs)

    assert_parity(function, tmp_path / "x")


def test_what_differs_is_in_the_message():
    name = "transformer_layer_1/self_attention_layer/query/kernel"
    side = edited(CASE, name, lambda kernel: np.float32(1.01) * kernel)
    said = message(assert_parity, side, f"{STEM}#tf32")
    lines = said.splitlines()
    assert lines[0].startswith("a and b differ from layer.1.query on: ")
    assert f"a: bundle:{STEM}#tf32 (bundle)" in lines
    assert "b: edited (test)" in lines
    assert any(line.startswith("▶ layer.1.query: ") and "outside it" in line for line in lines)
    assert len(lines) < 16
    side.tensors = None  # weights that differ would be said
    assert_parity(side, f"{STEM}#tf32", tolerances={"*": 1e9}, diagnose=False)


def test_nothing_in_common():
    said = message(assert_parity, Side(), recorded(CASE, "tf32"))
    assert said.startswith("a and b cannot be compared.")
    assert "note: the sides share nothing that could be compared" in said


def test_bundles_that_cannot_be_read(tmp_path):
    with pytest.raises(ModelFileError, match="a file of the bundle cannot be read"):
        assert_parity(golden(CASE), tmp_path / "none")
    with pytest.raises(ConfigError, match="the stages of several sources"):
        assert_parity(golden(CASE), STEM)


_TEST = """
from npbert.parity import assert_close
def test_it():
    assert_close([1.0], [2.0], "sequence_output")
"""


def test_under_pytest_the_message_is_what_is_seen(tmp_path):
    """No plugin, and no frames of ours."""
    (tmp_path / "test_it.py").write_text(_TEST)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "E       AssertionError: sequence_output is not close." in done.stdout
    assert testing.__file__ not in done.stdout
    assert "def assert_close" not in done.stdout
