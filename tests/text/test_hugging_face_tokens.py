"""Tokens with their places, the vocabulary, and which tokens are special."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, processors

from npbert.errors import InputError, InputTypeError
from npbert.text.hugging_face_tokenizer import HuggingFaceTokenizer
from npbert.text.tokenizer import Token

from . import tiny_model
from .tiny_model import CLS, SEP, VOCABULARY, write_json

TINY = HuggingFaceTokenizer(tiny_model.tokenizer())


def test_tokens_have_their_places() -> None:
    unknown = VOCABULARY.index("[UNK]")
    assert TINY.tokens("The  mill, [MASK]ae") == [
        Token(CLS, "[CLS]", 0, 0, True, 0),
        Token(VOCABULARY.index("the"), "the", 0, 3, False, 0),
        Token(VOCABULARY.index("mill"), "mill", 5, 9, False, 0),
        Token(unknown, "[UNK]", 9, 10, False, 0),
        Token(VOCABULARY.index("[MASK]"), "[MASK]", 11, 17, False, 0),
        Token(VOCABULARY.index("a"), "a", 17, 18, False, 0),
        Token(VOCABULARY.index("##e"), "##e", 18, 19, False, 0),
        Token(SEP, "[SEP]", 0, 0, True, 0),
    ]


def test_tokens_of_a_pair() -> None:
    found = TINY.tokens(("the old mill", "river 𝄞 house"), 7)
    places = [(token.token, token.start, token.end, token.segment) for token in found]
    assert places == [
        ("[CLS]", 0, 0, 0),
        ("the", 0, 3, 0),
        ("old", 4, 7, 0),
        ("[SEP]", 0, 0, 0),
        ("river", 0, 5, 1),
        ("[UNK]", 6, 7, 1),
        ("[SEP]", 0, 0, 1),
    ]


@given(st.text(st.characters(exclude_categories=["Cs"])), st.integers(3, 13))
def test_tokens_are_those_of_encode(text: str, limit: int) -> None:
    cut = TINY.tokens((text, "mill"), limit)
    encoded = TINY.encode([(text, "mill"), text], limit)
    assert [token.id for token in cut] == encoded.ids[0].tolist()
    assert [token.segment for token in cut] == encoded.segment_ids[0].tolist()
    assert len(TINY.tokens(text)) == encoded.full_lengths[1]
    assert all(VOCABULARY[token.id] == token.token for token in cut)


def test_tokens_of_what_is_no_text() -> None:
    with pytest.raises(InputTypeError, match="a text must be a str"):
        TINY.tokens(["mill"])  # type: ignore[arg-type]


def test_ids_and_tokens_of_the_vocabulary() -> None:
    assert TINY.vocabulary_size() == len(VOCABULARY)
    assert [TINY.token_to_id(token) for token in VOCABULARY] == list(range(len(VOCABULARY)))
    assert [TINY.id_to_token(id) for id in range(len(VOCABULARY))] == VOCABULARY
    with pytest.raises(InputError, match=r"no such token[\s\S]*'windmill'"):
        TINY.token_to_id("windmill")
    for id in (-1, len(VOCABULARY), 2**40):
        with pytest.raises(InputError, match=rf"no such id[\s\S]*{id}[\s\S]*0 <= id < 32"):
            TINY.id_to_token(id)


@pytest.mark.parametrize("wrong", ["a", 1.0, True, None])
def test_what_is_no_id(wrong: Any) -> None:
    words = rf"a token id must be an int[\s\S]*{wrong!r} \({type(wrong).__name__}\)[\s\S]*an int"
    with pytest.raises(InputTypeError, match=words):
        TINY.id_to_token(wrong)
    with pytest.raises(InputTypeError, match=words):
        TINY.decode([5, wrong], skip_special_tokens=False)


def test_ids_without_a_token() -> None:
    for id in (-1, 2**32):
        with pytest.raises(InputError, match=rf"no such id[\s\S]*{id}[\s\S]*0 <= id < 32"):
            TINY.decode([5, id], skip_special_tokens=False)
    the = VOCABULARY.index("the")
    assert TINY.decode([the, 2**20], skip_special_tokens=False) == "the"
    assert TINY.decode(np.array([the]), skip_special_tokens=False) == "the"  # type: ignore[arg-type]


# -- special tokens --------------------------------------------------------------------------------


def special(tokenizer: HuggingFaceTokenizer) -> dict[str, int | None]:
    roles = ("cls", "sep", "pad", "mask", "unk")
    return {role: getattr(tokenizer, f"{role}_token_id") for role in roles}


def test_berts_special_tokens() -> None:
    assert special(TINY) == {"cls": 2, "sep": 3, "pad": 0, "mask": 4, "unk": 1}
    assert TINY.num_special_tokens == 2


def test_a_sentence_piece_vocabulary(tmp_path: Path) -> None:
    tiny_model.sentence_piece().save(str(tmp_path / "tokenizer.json"))
    loaded = HuggingFaceTokenizer.from_directory(tmp_path)
    assert special(loaded) == {"cls": 0, "sep": 2, "pad": 1, "mask": 10, "unk": 3}
    encoded = loaded.encode(["the mills", ("the mill", "river"), ("the " * 9, "river")], 9)
    assert [ids.tolist() for ids in encoded.ids] == [
        [0, 5, 6, 8, 2],
        [0, 5, 6, 2, 2, 7, 2],
        [0, 5, 5, 5, 5, 2, 2, 7, 2],
    ]
    assert not any(ids.any() for ids in encoded.segment_ids)
    assert encoded.full_lengths.tolist() == [5, 7, 14]
    places = [(token.token, token.start, token.end) for token in loaded.tokens("the  Mills")[1:-1]]
    assert places == [("▁the", 0, 3), ("▁", 5, 6), ("Mill", 5, 9), ("s", 9, 10)]


def test_the_files_name_the_special_tokens(tmp_path: Path) -> None:
    tiny_model.tokenizer().save(str(tmp_path / "tokenizer.json"))
    roles = {"pad_token": "the", "mask_token": {"content": "mill", "lstrip": False}}
    write_json(tmp_path / "special_tokens_map.json", {**roles, "unk_token": "river"})
    expected = {"pad": 5, "mask": 12, "unk": 6}
    loaded = HuggingFaceTokenizer.from_directory(tmp_path)
    assert special(loaded) == {"cls": 2, "sep": 3, **expected}


def test_no_mask_and_no_unknown_word(tmp_path: Path) -> None:
    library = Tokenizer(models.WordLevel({"a": 0, "<s>": 1, "</s>": 2}, unk_token="a"))
    library.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", special_tokens=[("<s>", 1), ("</s>", 2)]
    )
    library.save(str(tmp_path / "tokenizer.json"))
    loaded = HuggingFaceTokenizer.from_directory(tmp_path)
    assert special(loaded) == {"cls": 1, "sep": 2, "pad": 0, "mask": None, "unk": None}
