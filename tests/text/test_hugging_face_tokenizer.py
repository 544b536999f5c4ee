"""Token ids, pairs, the cut, and directories that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import processors
from weights.model_files import change_json

from npbert.errors import (
    ConfigError,
    ModelFileError,
    UnsupportedModelError,
)
from npbert.text import hugging_face_files
from npbert.text.hugging_face_tokenizer import HuggingFaceTokenizer, longest_first

from . import tiny_model
from .tiny_model import BAKED, CLS, SEP, VOCABULARY, WORDS, write_json

EIGHT = "the river runs past an old stone mill"
TINY = HuggingFaceTokenizer(tiny_model.tokenizer())


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    tiny_model.tokenizer().save(str(tmp_path / "tokenizer.json"))
    return tmp_path


def ids_of(*tokens: str) -> list[int]:
    return [VOCABULARY.index(token) for token in tokens]


def test_ids_have_the_special_tokens_around_them(directory: Path) -> None:
    encoded = HuggingFaceTokenizer.from_directory(directory).encode(
        ["The RIVER runs", "our mill"], 17
    )
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


# -- pairs -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("stated", ["tokenizer.json", "tokenizer_config.json"])
def test_the_end_that_is_lost_is_the_file_s_to_say(directory: Path, stated: str) -> None:
    library = tiny_model.tokenizer()
    library.enable_truncation(5, direction="left" if stated == "tokenizer.json" else "right")
    library.no_padding()
    library.save(str(directory / "tokenizer.json"))
    if stated == "tokenizer_config.json":
        write_json(directory / stated, {"truncation_side": "left"})
    tokenizer = HuggingFaceTokenizer.from_directory(directory)
    assert tokenizer.encode([EIGHT], 5).ids[0].tolist() == [CLS, *ids_of(*EIGHT.split()[-3:]), SEP]
    assert [each.start for each in tokenizer.tokens(EIGHT, 4)] == [0, 27, 33, 0]
    pair = tokenizer.encode([("the river", EIGHT)], 7).ids[0].tolist()
    assert pair == ids_of("[CLS]", "the", "river", "[SEP]", "stone", "mill", "[SEP]")
    write_json(directory / "tokenizer_config.json", {"truncation_side": "right"})
    right = HuggingFaceTokenizer.from_directory(directory)
    assert right.encode([EIGHT], 5).ids[0].tolist() == [CLS, *ids_of(*EIGHT.split()[:3]), SEP]


def test_a_pair_is_two_segments() -> None:
    encoded = TINY.encode([("the river", "an old stone mill"), "mill"], 17)
    pair, single = encoded.ids
    words = ["[CLS]", "the", "river", "[SEP]", "an", "old", "stone", "mill", "[SEP]"]
    assert pair.tolist() == ids_of(*words)
    assert single.tolist() == ids_of("[CLS]", "mill", "[SEP]")
    assert [each.tolist() for each in encoded.segment_ids] == [[0] * 4 + [1] * 5, [0, 0, 0]]
    assert [each.dtype for each in encoded.segment_ids] == [np.int32, np.int32]
    assert encoded.full_lengths.tolist() == [9, 3]


@pytest.mark.parametrize(
    ("lengths", "room", "kept"),
    [
        ([9], 4, [4]),
        ([3, 9], 5, [2, 3]),
        ([9, 3], 5, [3, 2]),
        ([9, 9], 5, [2, 3]),
        ([2, 9], 6, [2, 4]),
        ([9, 1], 6, [5, 1]),
        ([9, 9], 1, [0, 1]),
        ([9, 8], 0, [0, 0]),
    ],
)
def test_the_longest_is_cut_first(lengths: list[int], room: int, kept: list[int]) -> None:
    assert longest_first(lengths, room) == kept


@given(st.integers(0, 9), st.integers(0, 9), st.integers(3, 20))
def test_the_cut_of_a_pair_is_that_of_the_library(first: int, second: int, limit: int) -> None:
    library = tiny_model.tokenizer()
    library.no_padding()
    library.enable_truncation(limit, strategy="longest_first")
    pair = " ".join(WORDS[:first]), " ".join(WORDS[5 : 5 + second])
    encoded, expected = TINY.encode([pair], limit), library.encode(*pair)
    assert encoded.ids[0].tolist() == expected.ids
    assert encoded.segment_ids[0].tolist() == expected.type_ids
    assert encoded.full_lengths.tolist() == [first + second + 3]


def test_no_room_for_the_special_tokens() -> None:
    assert TINY.encode(["mill"], 2).ids[0].tolist() == [CLS, SEP]
    for text, limit in (("mill", 1), (("mill", "river"), 2)):
        with pytest.raises(ConfigError, match="no room for the special tokens"):
            TINY.encode([text], limit)
        with pytest.raises(ConfigError, match=f"expected: {limit + 1} or more"):
            TINY.tokens(text, limit)


# -- files -----------------------------------------------------------------------------------------


def test_an_empty_text_is_cls_sep() -> None:
    assert TINY.encode(["", "  \t\n"], 5).ids[0].tolist() == [CLS, SEP]
    assert TINY.encode(["", "  \t\n"], 5).ids[1].tolist() == [CLS, SEP]


def test_no_texts() -> None:
    encoded = TINY.encode([], 5)
    assert (encoded.ids, encoded.full_lengths.shape, encoded.truncated) == ([], (0,), 0)


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


def test_lowercase_comes_first(tmp_path: Path) -> None:
    library = tiny_model.tokenizer()
    library.normalizer = None
    library.save(str(tmp_path / "tokenizer.json"))
    kept = HuggingFaceTokenizer.from_directory(tmp_path).encode(["Mill"], 7).ids[0]
    folded = (
        HuggingFaceTokenizer.from_directory(tmp_path, lowercase=True).encode(["Mill"], 7).ids[0]
    )
    assert kept.tolist() == ids_of("[CLS]", "[UNK]", "[SEP]")
    assert folded.tolist() == ids_of("[CLS]", "mill", "[SEP]")


def test_no_tokenizer(tmp_path: Path) -> None:
    with pytest.raises(ModelFileError, match=r"has no tokenizer\.json[\s\S]*save_pretrained"):
        HuggingFaceTokenizer.from_directory(tmp_path)


def test_tokenizer_config_decides_as_in_transformers(directory: Path) -> None:
    """BertTokenizer takes its options from tokenizer_config.json alone."""
    write_json(directory / "tokenizer_config.json", {"do_lower_case": False})
    words = (
        r"tokenizer\.json says lowercase True, strip_accents True, handle_chinese_chars True;"
        r" tokenizer_config\.json, with its defaults, says lowercase False, strip_accents False,"
        r" handle_chinese_chars True: going by the second"
    )
    with pytest.warns(UserWarning, match=words):
        loaded = HuggingFaceTokenizer.from_directory(directory)
    assert loaded.encode(["Mill mill"], 7).ids[0].tolist() == ids_of(
        "[CLS]", "[UNK]", "mill", "[SEP]"
    )


@pytest.mark.parametrize(
    "config",
    [
        {"do_lower_case": True, "strip_accents": True},
        {"do_lower_case": False, "tokenizer_class": "PreTrainedTokenizerFast"},
        {"do_lower_case": False, "tokenizer_class": "XLMRobertaTokenizer"},
    ],
)
def test_where_tokenizer_config_decides_nothing(directory: Path, config: dict[str, Any]) -> None:
    write_json(directory / "tokenizer_config.json", config)
    loaded = HuggingFaceTokenizer.from_directory(directory)
    assert loaded.encode(["MILL"], 7).ids[0].tolist() == ids_of("[CLS]", "mill", "[SEP]")


def test_a_vocabulary_alone(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("\n".join(VOCABULARY) + "\n")
    loaded = HuggingFaceTokenizer.from_directory(tmp_path)
    texts = [EIGHT, "The MILL, a [MASK]e", ("the river", "ÂE")]
    built, saved = loaded.encode(texts, 8), TINY.encode(texts, 8)
    assert [ids.tolist() for ids in built.ids] == [ids.tolist() for ids in saved.ids]
    assert built.full_lengths.tolist() == saved.full_lengths.tolist()
    assert (loaded.pad_token_id, loaded.mask_token_id) == (0, 4)
    assert loaded.baked_limit is None


@pytest.mark.parametrize("content", [b"{}", b"[]", b"\xff\xfe", b'{"model": 3}', b"<html>"])
def test_a_damaged_tokenizer(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(
        ModelFileError, match="not a tokenizer that the tokenizers library can read"
    ):
        HuggingFaceTokenizer.from_directory(tmp_path)


NO_UNKNOWN = {"type": "WordLevel", "unk_token": "[UNK]", "vocab": {"a": 0}}
HUGE_ID = {"id": "[CLS]", "ids": [2**32 - 1], "tokens": ["[CLS]"]}


@pytest.mark.parametrize(
    ("change", "received"),
    [
        (lambda f: f.update(model=NO_UNKNOWN, added_tokens=[]), "Missing .UNK. token"),
        (lambda f: f["post_processor"]["special_tokens"].update({"[CLS]": HUGE_ID}), "4294967295"),
    ],
)
def test_damage_that_only_a_text_shows(directory: Path, change: Any, received: str) -> None:
    change_json(directory / "tokenizer.json", change)
    tokenizer = HuggingFaceTokenizer.from_directory(directory)
    words = rf"not a tokenizer that the tokenizers library(.|\n)*tokenizer.json(.|\n)*{received}"
    with pytest.raises(ModelFileError, match=words):
        tokenizer.encode(["zzz"], 9)


def test_a_panic_is_an_error_of_the_file(directory: Path) -> None:
    damaged = {"type": "Precompiled", "precompiled_charsmap": "AAAA"}
    change_json(directory / "tokenizer.json", lambda fields: fields.update(normalizer=damaged))
    with pytest.raises(ModelFileError, match=r"tokenizer\.json(.|\n)*precompiled_charsmap"):
        HuggingFaceTokenizer.from_directory(directory)


def test_an_empty_or_oversized_tokenizer(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hugging_face_files, "MAX_BYTES", 10)
    with pytest.raises(ModelFileError, match="larger than 10 bytes"):
        HuggingFaceTokenizer.from_directory(directory)
    (directory / "tokenizer.json").write_bytes(b"")
    with pytest.raises(ModelFileError, match="empty"):
        HuggingFaceTokenizer.from_directory(directory)


def test_a_tokenizer_without_special_tokens(tmp_path: Path) -> None:
    library = tiny_model.tokenizer()
    library.post_processor = processors.Sequence([])
    library.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(UnsupportedModelError, match=r"no \[CLS\] and \[SEP\]"):
        HuggingFaceTokenizer.from_directory(tmp_path)
