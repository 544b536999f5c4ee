"""float32 against float64: as close as Keras Hub's own backends, or closer."""

from __future__ import annotations

import subprocess
import sys
from functools import cache
from pathlib import Path

import accuracy
import goldens
import numpy as np
import policy_accuracy
import pytest
import tolerances
from goldens import KERAS_CASES
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from npbert import reference

pytestmark = pytest.mark.kernel


@pytest.fixture(scope="module")
def measured():
    return accuracy.cases()


def test_over_at_least_two_hundred_inputs(measured):
    assert sum(len(case.log_ratios["tf32"]) for case in measured) >= 200 * len(goldens.OUTPUTS)


@pytest.mark.parametrize("backend", accuracy.BACKENDS)
def test_on_average_no_further_from_float64_than_keras(measured, backend):
    assert accuracy.mean_ratio(measured, backend) <= tolerances.ACCURACY_MEAN, (
        "\n" + accuracy.table(measured)
    )


def test_no_case_has_an_outlier(measured):
    assert max(case.excess for case in measured) <= tolerances.ACCURACY_LARGEST, (
        "\n" + accuracy.table(measured)
    )


def test_one_command_prints_the_tables(measured, tmp_path):
    script = Path(accuracy.__file__)
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    tables = accuracy.table(measured), policy_accuracy.table()
    assert done.stdout == "\n\n".join(tables) + "\n"
    assert tables[0].splitlines()[-1].startswith("| **all** | 280 |")


def test_the_readme_has_the_table(measured):
    readme = Path(accuracy.__file__).parents[1] / "README.md"
    assert accuracy.table(measured) in readme.read_text(encoding="utf-8")


@cache
def worst_backend(case):
    return max(accuracy.measure(case).worst, accuracy.FLOOR)


@st.composite
def batches(draw):
    """A case's model and inputs that nobody has seen."""
    case = draw(st.sampled_from(KERAS_CASES))
    config = goldens.config(case)
    shape = draw(st.integers(1, 4)), draw(st.integers(1, min(config.max_sequence_length, 12)))

    def integers(limit):
        return hnp.arrays(np.int32, shape, elements=st.integers(0, limit - 1), fill=st.nothing())

    batch = {
        "token_ids": draw(integers(config.vocabulary_size)),
        "segment_ids": draw(integers(config.num_segments)),
        "padding_mask": draw(hnp.arrays(np.bool_, shape, fill=st.nothing())),
    }
    return case, batch


@given(batches(), st.sampled_from([1, 2]))
def test_inputs_drawn_at_run_time(drawn, threads):
    case, batch = drawn
    outputs = goldens.backbone(case, threads)(batch)
    exact = reference.forward(goldens.config(case), goldens.weights(case, np.float64), **batch)
    for name in goldens.OUTPUTS:
        error = float(np.abs(outputs[name] - exact[name]).max())
        assert error <= tolerances.ACCURACY_LARGEST * worst_backend(case), name
