"""``npbert rerank``."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from tasks.task_models import write_classifier

from npbert import BertTextClassifier

from .conftest import Npbert

pytestmark = pytest.mark.kernel
QUERY, DOCUMENTS = "where is the mill", ["the river runs", "an old mill", "our house"]


def test_best_first(npbert: Npbert, tmp_path: Path) -> None:
    model = write_classifier(tmp_path / "reranker", 1)
    (tmp_path / "found.txt").write_text("\n".join(DOCUMENTS) + "\n")
    options = ("rerank", "-m", model, QUERY, "-i", tmp_path / "found.txt")
    done = npbert(*options, "--json", "--top-k", 2)
    assert done.code == 0
    found = [json.loads(line) for line in done.out.splitlines()]
    ranked = BertTextClassifier.from_preset(model).rank(QUERY, DOCUMENTS, return_documents=True)
    assert found == ranked[:2]
    stored = npbert(*options, "--json", "--dtype", "bfloat16_from_float32")
    assert stored.code == 0
    assert stored.out.splitlines() != done.out.splitlines()
    table = npbert(*options).out
    places = [table.index(each["text"]) for each in ranked]
    assert places == sorted(places)


def test_a_model_with_several_classes(npbert: Npbert, tmp_path: Path) -> None:
    done = npbert("rerank", "-m", write_classifier(tmp_path / "classifier", 3), QUERY, *DOCUMENTS)
    assert done.code == 1
    assert "ranked by a head with one class" in done.err
