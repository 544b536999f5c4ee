"""``npbert fill-mask``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tasks.task_models import write_masked_lm

from npbert import BertMaskedLM

from .conftest import Npbert

pytestmark = pytest.mark.kernel
ONE, TWO = "the [MASK] runs", "the [MASK] runs past an [MASK] mill"


def test_words_for_each_gap(npbert: Npbert, tmp_path: Path) -> None:
    model = write_masked_lm(tmp_path / "masked_lm")
    done = npbert("fill-mask", "-m", model, "--top-k", 3, "--json", ONE, TWO)
    assert done.code == 0
    masked_lm = BertMaskedLM.from_preset(model)
    rows = [json.loads(line) for line in done.out.splitlines()]
    assert rows == [{"text": text, "found": masked_lm.fill_mask(text, 3)} for text in (ONE, TWO)]
    done = npbert("fill-mask", "-m", model, "--json", "--dtype", "bfloat16", ONE)
    again = BertMaskedLM.from_preset(model, dtype="bfloat16").fill_mask(ONE)
    assert json.loads(done.out)["found"] == again
    best = masked_lm.fill_mask(ONE, 1)[0]
    table = npbert("fill-mask", "-m", model, ONE, TWO)
    assert f"{best['score']:.4f}" in table.out
    assert table.out.count("probability") == 3


def test_a_text_without_a_gap(npbert: Npbert, tmp_path: Path) -> None:
    done = npbert("fill-mask", "-m", write_masked_lm(tmp_path / "masked_lm"), "the river")
    assert done.code == 1
    assert "[MASK]" in done.err
