"""Scores in the order in which people want them: classes by name, documents by their index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def by_name(
    rows: Sequence[Sequence[float]], labels: Sequence[str], count: int
) -> list[list[dict[str, Any]]]:
    """The best ``count`` classes of each text, as transformers' pipelines show them."""
    return [
        [{"label": labels[i], "score": row[i]} for i in _best_first(row)[:count]] for row in rows
    ]


def ranked(
    scores: Sequence[float], count: int | None, texts: Sequence[str] | None
) -> list[dict[str, Any]]:
    """The best ``count`` documents, as sentence-transformers' ``rank`` shows them.

    Args:
        scores: of each document.
        count: None for all.
        texts: the documents, where they are to be shown.
    """
    more = [{} if texts is None else {"text": texts[i]} for i in range(len(scores))]
    order = _best_first(scores)[:count]
    return [{"corpus_id": i, "score": scores[i], **more[i]} for i in order]


def _best_first(scores: Sequence[float]) -> list[int]:
    """Of equal ones, the first comes first."""
    return sorted(range(len(scores)), key=lambda i: -scores[i])
