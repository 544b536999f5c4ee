"""``npbert classify``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tasks.task_models import write_classifier

from npbert import BertTextClassifier

from .conftest import Npbert

pytestmark = pytest.mark.kernel
TEXTS = ["the river runs", "an old mill"]


def test_classes_of_each_text(npbert: Npbert, tmp_path: Path) -> None:
    model = write_classifier(tmp_path / "classifier", 4)
    done = npbert("classify", "-m", model, "--top-k", 2, "--json", *TEXTS)
    assert done.code == 0
    rows = [json.loads(line) for line in done.out.splitlines()]
    expected = BertTextClassifier.from_preset(model).classify(TEXTS, 2)
    assert rows == [{"text": t, "classes": c} for t, c in zip(TEXTS, expected, strict=True)]
    done = npbert("classify", "-m", model, "--json", "--dtype", "bfloat16", TEXTS[0])
    again = BertTextClassifier.from_preset(model, dtype="bfloat16").classify(TEXTS[0])
    assert json.loads(done.out)["classes"] == again[:3]
    best = expected[0][0]
    table = npbert("classify", "-m", model, TEXTS[0]).out
    assert f"{best['label']} {best['score']:.3f}" in table


def test_a_model_without_classes(npbert: Npbert, model: Path) -> None:
    done = npbert("classify", "-m", model, *TEXTS)
    assert done.code == 1
    assert "fix:" in done.err
