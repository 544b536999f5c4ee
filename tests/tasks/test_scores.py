from __future__ import annotations

from npbert.tasks.scores import by_name, ranked


def test_classes():
    rows = [[0.1, 0.7, 0.2], [0.5, 0.0, 0.5]]
    assert by_name(rows, "abc", 2) == [
        [{"label": "b", "score": 0.7}, {"label": "c", "score": 0.2}],
        [{"label": "a", "score": 0.5}, {"label": "c", "score": 0.5}],
    ]
    assert by_name([], "abc", 2) == []


def test_documents():
    scores = [0.1, 0.7, 0.7, -3.0]
    order = [1, 2, 0, 3]
    assert ranked(scores, None, None) == [{"corpus_id": i, "score": scores[i]} for i in order]
    assert ranked(scores, 1, "wxyz") == [{"corpus_id": 1, "score": 0.7, "text": "x"}]
    assert ranked([], 5, []) == []
