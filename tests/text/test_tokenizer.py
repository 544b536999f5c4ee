"""Token ids, the cut, and texts that are not texts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors

from npbert.errors import InputError, InputTypeError, ModelFileError, UnsupportedModelError
from npbert.text import tokenizer as module
from npbert.text.tokenizer import Tokenizer

from . import tiny_model
from .tiny_model import BAKED, CLS, SEP, VOCABULARY, WORDS

EIGHT = "the river runs past an old stone mill"
TINY = Tokenizer(tiny_model.tokenizer())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tiny_model.tokenizer().save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def ids_of(*tokens: str) -> list[int]:
    return [VOCABULARY.index(token) for token in tokens]


def test_ids_have_the_special_tokens_around_them(directory: Path) -> None:
    encoded = Tokenizer.from_directory(directory).encode(["The RIVER runs", "our mill"], 17)
    assert [each.tolist() for each in encoded.ids] == [
        ids_of("[CLS]", "the", "river", "runs", "[SEP]"),
        ids_of("[CLS]", "our", "mill", "[SEP]"),
    ]
    assert all(each.dtype == np.int32 for each in encoded.ids)
    assert encoded.full_lengths.tolist() == encoded.lengths.tolist() == [5, 4]


def test_truncation_and_padding_of_the_file_are_ignored() -> None:
    encoded = TINY.encode([EIGHT, "mill"], 17)
    assert TINY.baked_limit == BAKED
    assert encoded.lengths.tolist() == [10, 3]
    assert encoded.truncated == 0


@pytest.mark.parametrize("limit", [3, 4, 9, 10, 11])
def test_the_cut_keeps_the_special_tokens_and_counts_what_is_lost(limit: int) -> None:
    encoded = TINY.encode([EIGHT], limit)
    (ids,) = encoded.ids
    assert ids.tolist() == [CLS, *ids_of(*EIGHT.split())[: limit - 2], SEP]
    assert encoded.full_lengths.tolist() == [10]
    assert encoded.truncated == int(limit < 10)


@given(st.lists(st.sampled_from(WORDS), max_size=15), st.integers(3, 20))
def test_the_cut_is_that_of_the_library(words: list[str], limit: int) -> None:
    library = tiny_model.tokenizer()
    library.no_padding()
    library.enable_truncation(limit)
    text = " ".join(words)
    encoded = TINY.encode([text], limit)
    assert encoded.ids[0].tolist() == library.encode(text).ids
    assert encoded.full_lengths.tolist() == [len(words) + 2]


def test_an_empty_text_is_cls_sep() -> None:
    assert TINY.encode(["", "  \t\n"], 5).ids[0].tolist() == [CLS, SEP]
    assert TINY.encode(["", "  \t\n"], 5).ids[1].tolist() == [CLS, SEP]


def test_no_texts() -> None:
    encoded = TINY.encode([], 5)
    assert (encoded.ids, encoded.full_lengths.shape, encoded.truncated) == ([], (0,), 0)


def test_order_survives_the_internal_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = [" ".join(WORDS[: i % 7]) for i in range(23)]
    expected = [ids.tolist() for ids in TINY.encode(texts, 9).ids]
    monkeypatch.setattr(module, "_TEXTS_AT_ONCE", 5)
    assert [ids.tolist() for ids in TINY.encode(texts, 9).ids] == expected
    monkeypatch.setattr(module, "_CHARACTERS_AT_ONCE", 8)
    assert [ids.tolist() for ids in TINY.encode(texts, 9).ids] == expected


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_any_valid_unicode_becomes_ids_of_the_vocabulary(text: str) -> None:
    (ids,) = TINY.encode([text], 13).ids
    assert 2 <= len(ids) <= 13
    assert (ids[0], ids[-1]) == (CLS, SEP)
    assert (ids >= 0).all()
    assert (ids < len(VOCABULARY)).all()


def test_nul_and_a_million_characters_are_texts() -> None:
    encoded = TINY.encode(["a\0e", "the mill " * 120_000, "é" * 200_000], 7)
    assert encoded.lengths.tolist() == [4, 7, 3]
    assert encoded.full_lengths.tolist() == [4, 240_002, 3]


def test_half_a_surrogate_pair_is_an_error_with_its_place() -> None:
    with pytest.raises(InputError, match="half of a surrogate pair") as caught:
        TINY.encode(["mill"] * 1030 + ["the \ud83d mill"], 7)
    assert caught.value.where == "texts[1030], character 4"


@pytest.mark.parametrize("wrong", [None, 3, 1.5, float("nan"), b"mill", ["mill"], ("a", "b")])
def test_what_is_not_a_str_is_an_error_with_its_index(wrong: object) -> None:
    with pytest.raises(InputTypeError, match="a text must be a str") as caught:
        TINY.encode(["mill", wrong], 7)  # type: ignore[list-item]
    assert caught.value.where == "texts[1]"
    assert type(wrong).__name__ in str(caught.value.received)


def test_a_text_that_is_far_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_CHARACTERS", 5)
    with pytest.raises(InputError, match=r"the text is too long[\s\S]*texts\[1\][\s\S]*split it"):
        TINY.encode(["mill", "river "], 7)


def test_lowercase_comes_first(tmp_path: Path) -> None:
    library = tiny_model.tokenizer()
    library.normalizer = None
    library.save(str(tmp_path / "tokenizer.json"))
    kept = Tokenizer.from_directory(tmp_path).encode(["Mill"], 7).ids[0]
    folded = Tokenizer.from_directory(tmp_path, lowercase=True).encode(["Mill"], 7).ids[0]
    assert kept.tolist() == ids_of("[CLS]", "[UNK]", "[SEP]")
    assert folded.tolist() == ids_of("[CLS]", "mill", "[SEP]")


def test_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"has no tokenizer\.json[\s\S]*save_pretrained"):
        Tokenizer.from_directory(tmp_path)


@pytest.mark.parametrize("content", [b"{}", b"[]", b"\xff\xfe", b'{"model": 3}', b"<html>"])
def test_a_damaged_tokenizer(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(
        ModelFileError, match="not a tokenizer that the tokenizers library can read"
    ):
        Tokenizer.from_directory(tmp_path)


def test_an_empty_or_oversized_tokenizer(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MAX_FILE_BYTES", 10)
    with pytest.raises(ModelFileError, match="larger than 10 bytes"):
        Tokenizer.from_directory(directory)
    (directory / "tokenizer.json").write_bytes(b"")
    with pytest.raises(ModelFileError, match="empty"):
        Tokenizer.from_directory(directory)


def test_a_tokenizer_without_special_tokens(tmp_path: Path) -> None:
    library = tiny_model.tokenizer()
    library.post_processor = processors.Sequence([])
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UnsupportedModelError, match=r"no \[CLS\] and \[SEP\]"):
        Tokenizer.from_directory(tmp_path)


def test_the_library_is_imported_only_when_needed() -> None:
    code = "import sys, npbert.text.tokenizer; sys.exit('tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
