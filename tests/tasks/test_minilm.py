"""all-MiniLM-L6-v2's real weights against what Hugging Face and Keras Hub computed from them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np
import pytest

from npbert import Embedder
from npbert.parity.bundle import Bundle, load_bundle

GOLDEN = load_bundle(Path(__file__).parents[2] / "golden" / "minilm")
TEXTS: list[str] = GOLDEN.meta["texts"]
TOLERANCE = 2e-6  # ten times what was measured, a quarter of what 6 layers of float32 may lose

pytestmark = [
    pytest.mark.real_weights,
    pytest.mark.kernel,
    pytest.mark.filterwarnings("ignore:cut 2 of 24 texts after 256 tokens"),
]


@cache
def embedder(activation: str | None = None, dtype: str | None = None) -> Embedder:
    return Embedder("all-MiniLM-L6-v2", activation=activation, dtype=dtype)


def golden_ids(bundle: Bundle) -> list[list[int]]:
    """The ids of each text, without padding."""
    ids, mask = bundle.arrays["inputs.token_ids"], bundle.arrays["inputs.padding_mask"]
    return [row[kept != 0].tolist() for row, kept in zip(ids, mask, strict=True)]


def test_the_limit_is_the_one_sentence_transformers_uses() -> None:
    limit = embedder().limit
    assert (limit.value, limit.source) == (256, "sentence_bert_config.json")
    assert list(limit.candidates.values()) == [None, 256, 512, None, 512, 128]
    assert (embedder().pooling, embedder().normalize) == ("mean", True)


def test_token_ids_are_equal() -> None:
    encoded = embedder().tokenizer.encode(TEXTS, embedder().max_seq_length)
    for text, ours, theirs in zip(TEXTS, encoded.ids, golden_ids(GOLDEN), strict=True):
        assert ours.tolist() == theirs, text
    np.testing.assert_array_equal(encoded.full_lengths, GOLDEN.arrays["inputs.full_length"])


@pytest.mark.parametrize(
    ("activation", "source"),
    [
        (None, "hf32"),
        (None, "hf64"),
        ("gelu_approximate", "jax32"),
        ("gelu_approximate", "tf32"),
        ("gelu_approximate", "tf64"),
    ],
)
def test_vectors(activation: str | None, source: str) -> None:
    vectors = embedder(activation).encode(TEXTS)
    theirs = GOLDEN.arrays[f"{source}.sentence_vectors"]
    np.testing.assert_allclose(vectors, theirs, rtol=0, atol=TOLERANCE)


def test_the_two_gelus_are_told_apart() -> None:
    vectors = embedder("gelu_approximate").encode(TEXTS)
    assert np.abs(vectors - GOLDEN.arrays["hf64.sentence_vectors"]).max() > 100 * TOLERANCE


@pytest.mark.parametrize(
    ("dtype", "least"), [("bfloat16_from_float32", 0.9999), ("float16_from_float32", 0.999999)]
)
def test_weights_of_16_bits(dtype: str, least: float) -> None:
    """As close as `Embedder` says."""
    stored, exact = embedder(dtype=dtype), embedder()
    vectors = [np.float64(each.encode(TEXTS)) for each in (stored, exact)]
    cosines = (vectors[0] * vectors[1]).sum(axis=1)  # of unit vectors
    assert least <= cosines.min() < 1 - 1e-7


def test_the_order_and_the_batch_change_no_bit() -> None:
    vectors = embedder().encode(TEXTS)
    order = np.random.default_rng(11).permutation(len(TEXTS))
    shuffled = embedder().encode([TEXTS[i] for i in order], batch_size=5)
    assert shuffled.tobytes() == vectors[order].tobytes()
