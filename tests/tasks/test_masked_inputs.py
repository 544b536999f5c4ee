from __future__ import annotations

import numpy as np
import pytest

from npbert.errors import InputError, InputTypeError
from npbert.tasks.masked_inputs import check_masked_inputs
from tasks.task_models import KERAS, inputs


def test_a_batch():
    x = inputs(places=5)
    checked, positions = check_masked_inputs(x, KERAS)
    assert checked.token_ids.tolist() == x["token_ids"].tolist()
    assert positions.tolist() == x["mask_positions"].tolist()
    assert positions.dtype == np.intp
    checked, positions = check_masked_inputs({**x, "mask_positions": np.zeros((3, 0), int)}, KERAS)
    assert positions.shape == (3, 0)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda x: x.pop("mask_positions"), InputError, "a dictionary with mask_positions"),
        (lambda x: x.pop("segment_ids"), InputError, "lacks segment_ids"),
        (lambda x: x.update(labels=[1]), InputError, "unknown labels"),
        (lambda x: x.update(mask_positions=[[7]] * 3), InputError, r"0 <= id < 7"),
        (lambda x: x.update(mask_positions=[[-1]] * 3), InputError, r"mask_positions\[0, 0\]"),
        (lambda x: x.update(mask_positions=[[0]] * 2), InputError, r"shape \(2, 1\)(.|\n)*\(3, "),
        (lambda x: x.update(mask_positions=[0, 1, 2]), InputError, "one row for each sequence"),
        (lambda x: x.update(mask_positions=[[0.5]] * 3), InputTypeError, "must hold integers"),
    ],
)
def test_what_is_refused(change, error, words):
    x = inputs(places=5)
    change(x)
    with pytest.raises(error, match=words):
        check_masked_inputs(x, KERAS)


def test_no_dictionary():
    with pytest.raises(InputError, match=r"a dictionary with mask_positions(.|\n)*list"):
        check_masked_inputs([[1, 2]], KERAS)
