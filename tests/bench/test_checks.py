"""Whether an engine computes the same."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.bench import checks, works


def test_texts_are_found_in_any_batches(tmp_path):
    sequences = works.draw([2, 5, 3], 31, 0)
    found = []
    for batches in (works.one_batch(sequences), works.sorted_batches(sequences, 2)):
        outputs = [np.repeat(b.ids[:, :, None], 4, axis=2).astype(np.float32) for b in batches]
        np.savez(tmp_path / "o.npz", **{str(i): each for i, each in enumerate(outputs)})
        found.append(checks.by_text(batches, tmp_path / "o.npz"))
    assert [vectors.shape for _, vectors in sorted(found[0].items())] == [(2, 4), (5, 4), (3, 4)]
    assert checks.difference(*found) == 0


@pytest.mark.parametrize(
    ("theirs", "expected"),
    [
        ({0: np.zeros((2, 3)), 1: np.full((1, 3), 0.5)}, 0.5),
        ({0: np.zeros((2, 3))}, np.inf),
        ({0: np.zeros((2, 3)), 1: np.zeros((2, 3))}, np.inf),
        ({0: np.zeros((2, 3)), 1: np.full((1, 3), np.nan)}, np.inf),
    ],
)
def test_differences(theirs, expected):
    ours = {0: np.zeros((2, 3)), 1: np.zeros((1, 3))}
    assert checks.difference(ours, theirs) == expected


def test_verdict():
    assert checks.verdict(3e-6) is None
    assert checks.verdict(0.05, 0.2) is None
    assert checks.verdict(5e-4) == (
        "computes something else: 0.0005 from npbert, at most 1e-04 expected"
    )
