"""What is said of texts that are too long."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from npbert.errors import InputError
from npbert.tasks.truncation import Report
from npbert.text.limits import Limit
from npbert.text.tokenizer import Encoded

LIMIT = Limit(4, "sentence_bert_config.json", {})


def encoded(*lengths: int) -> Encoded:
    ids = [np.zeros(min(length, 4), np.int32) for length in lengths]
    return Encoded(ids, ids, np.array(lengths, np.int64))


def test_one_warning_over_several_notes() -> None:
    report = Report(LIMIT, "warn")
    report.note(encoded(3, 4, 5))
    report.note(encoded())
    report.note(encoded(1_200, 2, 7))
    words = (
        r"^cut 3 of 6 texts after 4 tokens, the limit of sentence_bert_config\.json:"
        r" inputs\[2, 3, 5\]; the longest has 1,200; on_truncate='chunk' reads all of a text$"
    )
    with pytest.warns(UserWarning, match=words) as caught:
        report.warn()
    assert caught[0].filename == __file__


def test_the_first_five_are_named() -> None:
    report = Report(LIMIT, "warn")
    report.note(encoded(*[3] * 7, *[9] * 6))
    with pytest.warns(UserWarning, match=r"inputs\[7, 8, 9, 10, 11, \.\.\.\]"):
        report.warn()


def test_an_error_names_the_first() -> None:
    report = Report(LIMIT, "error")
    report.note(encoded(3, 4))
    with pytest.raises(InputError, match="a text is longer than the model reads") as caught:
        report.note(encoded(3, 5, 9))
    assert caught.value.where == "inputs[3]"
    assert caught.value.received == "5 tokens"
    assert caught.value.expected == "at most 4, the limit of sentence_bert_config.json"


@pytest.mark.parametrize("on_truncate", ["ignore", "chunk"])
def test_nothing_is_said(on_truncate) -> None:
    report = Report(LIMIT, on_truncate)
    report.note(encoded(3, 9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report.warn()
        Report(LIMIT, "warn").warn()
