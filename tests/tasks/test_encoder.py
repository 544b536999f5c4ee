"""Texts to vectors inside: what the engine is given, and how often."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from text.tiny_model import CONFIG, write_tiny_model

from npbert import BertBackbone
from npbert.tasks.encode_options import Options
from npbert.tasks.encoder import Encoder, distinct
from npbert.tasks.saved_embedder import read_text_side
from npbert.tasks.truncation import EncodeInfo, Report

pytestmark = pytest.mark.kernel

TEXTS = ["the river", "mill", "the river", "", "The  RIVER", "old stone mill", "mill", "past"]
LONG = "past the old mill and the river near our house and bridge"
D = CONFIG.hidden_dim


@pytest.fixture(scope="module")
def encoder(tmp_path_factory: pytest.TempPathFactory) -> Encoder:
    directory = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    backbone = BertBackbone.from_preset(directory, num_threads=2)
    return Encoder(backbone, read_text_side(backbone, None))


@pytest.fixture
def seen(encoder: Encoder, monkeypatch: pytest.MonkeyPatch) -> list[list[list[int]]]:
    """The batches of token ids that the engine is given."""
    batches: list[list[list[int]]] = []
    run: Callable[..., Any] = encoder.backbone.encode_ragged

    def spy(sequences: list[np.ndarray]) -> Any:
        batches.append([ids.tolist() for ids in sequences])
        return run(sequences)

    monkeypatch.setattr(encoder.backbone, "encode_ragged", spy)
    return batches


def run(encoder: Encoder, texts: list[str], **options: Any) -> tuple[Any, EncodeInfo]:
    asked = Options(**options)
    return encoder.run(texts, asked, Report(encoder.text_side.limit, asked.on_truncate))


@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=3), max_size=12))
def test_distinct(sequences: list[list[int]]) -> None:
    arrays = [np.array(each, np.int32) for each in sequences]
    ids, numbers = distinct(arrays)
    assert [ids[i].tolist() for i in numbers] == sequences
    assert len({tuple(each.tolist()) for each in ids}) == len(ids) == len(set(numbers.tolist()))


def test_equal_token_sequences_are_computed_once(encoder: Encoder, seen: Any) -> None:
    vectors, info = run(encoder, TEXTS)
    given_to_the_engine = [tuple(ids) for batch in seen for ids in batch]
    assert len(given_to_the_engine) == len(set(given_to_the_engine)) == 5
    assert info.n_tokens.tolist() == [4, 3, 4, 2, 4, 5, 3, 3]
    for i in (2, 4):
        assert vectors[i].tobytes() == vectors[0].tobytes()
    assert vectors[6].tobytes() == vectors[1].tobytes() != vectors[0].tobytes()
    alone = [run(encoder, [text])[0][0].tobytes() for text in TEXTS]
    assert [vector.tobytes() for vector in vectors] == alone


def test_equal_windows_too(encoder: Encoder, seen: Any) -> None:
    run(encoder, [" ".join(["mill"] * 9 * 3)], on_truncate="chunk")
    assert len(seen) == len(seen[0]) == 1


def test_batches_are_bounded_by_texts_and_by_tokens(encoder: Encoder, seen: Any) -> None:
    run(encoder, [*TEXTS, LONG], batch_size=2, max_batch_tokens=100)
    assert [len(batch) for batch in seen] == [2, 2, 2]
    seen.clear()
    run(encoder, [*TEXTS, LONG], batch_size=9, max_batch_tokens=11)
    assert [sum(map(len, batch)) for batch in seen] == [11, 9, 8]
    assert [len(ids) for batch in seen for ids in batch] == [11, 5, 4, 3, 3, 2]


def test_token_vectors(encoder: Encoder, seen: Any) -> None:
    found, info = run(encoder, [*TEXTS, LONG], tokens=True)
    assert len(seen) == 1
    assert [each.shape for each in found] == [(n, D) for n in np.minimum(info.n_tokens, 11)]
    assert found[0].tobytes() == found[2].tobytes()
    found[0][:] = 0  # nobody else's
    assert found[2].any()
    assert all(each.flags.c_contiguous for each in found)


def test_info(encoder: Encoder) -> None:
    _, info = run(encoder, ["", LONG])
    assert info.n_tokens.tolist() == [2, 14]
    assert info.truncated.tolist() == [False, True]
    assert info.limit == 11
    _, info = run(encoder, ["", LONG], on_truncate="chunk")
    assert (info.n_tokens.tolist(), info.truncated.tolist()) == ([2, 14], [False, False])


def test_no_texts(encoder: Encoder, seen: Any) -> None:
    for options in ({}, {"normalize": True}, {"on_truncate": "chunk"}, {"truncate_dim": 7}):
        vectors, info = run(encoder, [], **options)
        assert vectors.shape == (0, options.get("truncate_dim", D))
        assert (info.n_tokens.shape, info.truncated.shape) == ((0,), (0,))
    assert run(encoder, [], tokens=True)[0] == []
    assert seen == []
