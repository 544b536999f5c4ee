"""Hugging Face directories of many kinds: the same tokens as transformers, on 20,000 texts each."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from live import token_directories, token_texts
from live.hugging_face_tokens_worker import PLACED, flat
from live.peers import Peers

from npbert.text.tokenizer import Tokenizer, load_tokenizer

pytestmark = pytest.mark.live

PROCESS = {"transformers": "live.hugging_face_tokens_worker"}


@pytest.fixture(scope="module")
def theirs(tmp_path_factory, seed):
    started = Peers(tmp_path_factory.mktemp("tokens"), seed, PROCESS)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def texts(seed):
    return token_texts.texts(seed)


@pytest.fixture(scope="module", params=token_directories.NAMES)
def name(request):
    return request.param


@pytest.fixture(scope="module")
def expected(theirs, name):
    return theirs.arrays("transformers", name)


@pytest.fixture(scope="module")
def loaded(theirs, name) -> Tokenizer:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tokenizer = load_tokenizer(theirs.wait("transformers") / name, "hugging_face")
    assert bool(caught) == (name == "contradicted")
    return tokenizer


def assert_same(rows, expected, name, inputs):
    ours = flat(name, [row.tolist() for row in rows])
    lengths, ids = expected[f"{name}.lengths"], expected[f"{name}.ids"]
    for i in np.flatnonzero(ours[f"{name}.lengths"] != lengths)[:1]:
        start = int(lengths[:i].sum())
        raise AssertionError((inputs[i], rows[i].tolist(), ids[start : start + lengths[i]]))
    different = np.flatnonzero(ours[f"{name}.ids"] != ids)
    owner = np.repeat(np.arange(len(rows)), lengths)
    assert not len(different), (inputs[owner[different[0]]], len(different))


def test_texts(loaded, expected, texts, measured, name):
    assert len(texts) >= 20_000
    encoded = loaded.encode(texts, token_directories.MAX_LENGTH)
    assert_same(encoded.ids, expected, "texts", texts)
    assert not any(segments.any() for segments in encoded.segment_ids)
    measured(f"{name}: {len(expected['texts.ids']):,} tokens of {len(texts):,} texts as theirs")


def test_pairs(loaded, expected, texts, seed):
    pairs = token_directories.pairs(seed, texts)
    encoded = [loaded.encode([(first, second)], limit) for first, second, limit in pairs]
    assert_same([each.ids[0] for each in encoded], expected, "pairs", pairs)
    segments = np.concatenate([each.segment_ids[0] for each in encoded])
    np.testing.assert_array_equal(segments, expected["segment_ids"])


def test_places(loaded, expected, texts):
    found = [token for text in texts[:PLACED] for token in loaded.tokens(text)]
    special = np.array([token.special for token in found])
    np.testing.assert_array_equal(special, expected["special"].astype(bool))
    places = np.array([(token.start, token.end) for token in found])
    np.testing.assert_array_equal(places, expected["places"])


def test_the_special_tokens(loaded, expected):
    roles = [loaded.pad_token_id, loaded.mask_token_id, loaded.vocabulary_size()]
    assert roles == expected["roles"].tolist()
