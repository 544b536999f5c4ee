"""`Embedder` beside sentence-transformers: every pooling, prompt, module, and what may be asked."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from live.encode_cases import ASKED, CASES, PROMPTS, SIMILARITIES, TEXTS, key
from live.peers import Peers

import npbert
from npbert.tasks.similarity import similarity, similarity_pairwise

pytestmark = pytest.mark.live

VECTORS = 2e-6
"""Of the largest absolute value, or of 1 where all are smaller."""


@pytest.fixture(scope="module")
def theirs(tmp_path_factory, seed):
    started = Peers(tmp_path_factory.mktemp("encode"), seed, {"torch": "live.encode_worker"})
    yield started
    started.stop()


@pytest.fixture(scope="module", params=CASES)
def case(request, theirs):
    """A case's name, and npbert's model of it."""
    return request.param, npbert.Embedder(theirs.wait("torch") / request.param)


def error(ours, expected):
    """How far apart, seen from the largest absolute value."""
    assert ours.shape == expected.shape
    return np.abs(ours - expected).max() / max(1, np.abs(expected).max())


def encode(method, **options):
    """One text is cut in any case, which is said, and not counted here."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "cut 1 of")
        return method(TEXTS, **options)


def test_vectors(case, theirs, measured):
    name, embedder = case
    arrays = theirs.arrays("torch", "encode")
    assert embedder.prompts == PROMPTS
    errors = {
        i: error(encode(embedder.encode, **asked), arrays[key(name, i)])
        for i, asked in enumerate(ASKED)
    }
    measured(f"encode, {name}: {max(errors.values()):.1e} from sentence-transformers")
    assert max(errors.values()) <= VECTORS, errors


def test_queries_documents_and_tokens(case, theirs):
    name, embedder = case
    arrays = theirs.arrays("torch", "encode")
    for what in ("query", "document"):
        ours = encode(getattr(embedder, f"encode_{what}"))
        assert error(ours, arrays[f"{name}.{what}"]) <= VECTORS
    rows = encode(embedder.encode, prompt_name="query", output_value="token_embeddings")
    assert error(np.concatenate(rows), arrays[f"{name}.tokens"]) <= VECTORS


def test_lazily_and_in_any_batch_the_bits_are_the_same(case):
    _, embedder = case
    for asked in ASKED[::5]:
        vectors = encode(embedder.encode, **asked)
        assert encode(embedder.encode, batch_size=3, **asked).tobytes() == vectors.tobytes()
        lazily = encode(lambda texts, **options: [*embedder.encode_iter(texts, **options)], **asked)
        assert np.array(lazily).tobytes() == vectors.tobytes()


@pytest.mark.parametrize("name", SIMILARITIES)
def test_similarity(theirs, name):
    arrays = theirs.arrays("torch", "similarity")
    a, b = arrays["a"], arrays["b"]
    assert error(similarity(a, b, name), arrays[name]) <= VECTORS
    assert error(similarity_pairwise(a[:5], b, name), arrays[f"{name}.pairs"]) <= VECTORS
