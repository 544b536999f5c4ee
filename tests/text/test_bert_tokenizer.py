"""`BertTokenizer` beside Keras Hub's: its tokens and its calls."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.tokenizer import Tokenizer

from .keras_tokens import (
    CLS,
    MASK,
    PAD,
    SEP,
    UNK,
    VOCABULARY,
    golden,
    ids,
    tokenizer,
)

TEXTS = ["The quick fox.", "", "foxes [MASK]"]


@pytest.mark.parametrize("number", range(len(golden()["settings"])))
def test_tokens_of_keras_hub(number: int) -> None:
    found = golden()
    settings = found["settings"][number]
    ours = BertTokenizer(found["vocabulary"], **settings)
    texts = found["texts"] if ours.settings.split else [[text] for text in found["texts"]]
    for text, row, expected in zip(texts, ours(texts), found["tokens"][number], strict=True):
        assert row.tolist() == found["rows"][expected], text


def test_detokenized_by_keras_hub() -> None:
    found = golden()
    ours = BertTokenizer(found["vocabulary"])
    expected = found["detokenized"]
    assert ours.detokenize(found["rows"][: len(expected)]) == expected


def test_the_goldens_reach_what_they_are_about() -> None:
    found = golden()
    assert len(found["texts"]) >= 300
    assert len(found["settings"]) >= 20
    assert all(len({row[i] for row in found["tokens"]}) > 1 for i in (11, 18, 20, 24, 28))
    assert max(map(max, filter(None, found["rows"]))) > 1000


# -- calls -----------------------------------------------------------------------------------------


def test_one_text_is_an_array_and_several_are_a_list() -> None:
    one = tokenizer(lowercase=True)("The quick fox.")
    assert one.dtype == np.int32
    assert one.tolist() == ids("the", "quick", "fox", ".")
    rows = tokenizer(lowercase=True)(TEXTS)
    assert [row.dtype for row in rows] == [np.int32] * 3
    assert [row.tolist() for row in rows] == [
        ids("the", "quick", "fox", "."),
        [],
        ids("fox", "##es", "[UNK]", "[UNK]", "[UNK]"),
    ]
    assert tokenizer()([]) == []


@pytest.mark.parametrize("batch", [tuple(TEXTS), np.array(TEXTS), np.array(TEXTS, object)])
def test_other_batches(batch: object) -> None:
    ours = tokenizer()
    assert [row.tolist() for row in ours(batch)] == [row.tolist() for row in ours(TEXTS)]


def test_sequence_length_cuts_and_fills_up_with_zero() -> None:
    ours = tokenizer(sequence_length=3, lowercase=True)
    rows = ours(TEXTS)
    assert rows.shape == (3, 3)
    assert rows.dtype == np.int32
    assert rows.tolist() == [ids("the", "quick", "fox"), [0, 0, 0], ids("fox", "##es", "[UNK]")]
    assert ours("fox").tolist() == [*ids("fox"), 0, 0]
    assert ours([]).shape == (0, 3)


def test_strings() -> None:
    ours = tokenizer(dtype="string", lowercase=True)
    assert ours("Foxes") == ["fox", "##es"]
    assert ours(["Foxes", ""]) == [["fox", "##es"], []]
    padded = tokenizer(dtype="string", sequence_length=2)
    assert padded(["foxes fox", "fox"]) == [["fox", "##es"], ["fox", ""]]


def test_wide_ids() -> None:
    assert tokenizer(dtype="int64")("fox").dtype == np.int64


def test_words_that_are_split_already() -> None:
    ours = tokenizer(split=False)
    assert ours("the fox").tolist() == [UNK]
    assert ours(["the", "foxes"]).tolist() == ids("the", "fox", "##es")
    assert [row.tolist() for row in ours([["the"], ["foxes", "."]])] == [
        ids("the"),
        ids("fox", "##es", "."),
    ]
    assert tokenizer(split=False, sequence_length=3)(["the", "fox"]).tolist() == [
        *ids("the", "fox"),
        0,
    ]


@pytest.mark.parametrize("wrong", [None, 3, b"the", [None], [float("nan")], [["the"]], {"a": 1}])
def test_what_is_no_text(wrong: object) -> None:
    with pytest.raises(InputTypeError, match="a text must be a str"):
        tokenizer()(wrong)


def test_half_a_surrogate_pair() -> None:
    with pytest.raises(InputError, match="half of a surrogate pair"):
        tokenizer()(["the", "\ud83d"])


def test_detokenize() -> None:
    ours = tokenizer()
    found = ids("the", "fox", "##es", ".", "[SEP]", "##s")
    assert ours.detokenize(found) == "the foxes . [SEP]s"
    assert ours.detokenize(np.array([found[:2], found[1:3]])) == ["the fox", "foxes"]
    assert ours.detokenize([np.array(found[:2]), []]) == ["the fox", ""]
    assert ours.detokenize(found[2:4]) == "##es ."
    assert ours.detokenize(found[1]) == "fox"
    assert ours.detokenize([]) == ""
    for wrong in (-1, len(VOCABULARY), 10**12):
        with pytest.raises(InputError, match=r"no such id[\s\S]*0 <= id < 20"):
            ours.detokenize([wrong])


def test_the_vocabulary() -> None:
    ours = tokenizer()
    assert ours.get_vocabulary() == VOCABULARY
    assert ours.vocabulary_size() == len(VOCABULARY) == 20
    assert [ours.token_to_id(token) for token in VOCABULARY] == list(range(20))
    assert [ours.id_to_token(id) for id in range(20)] == VOCABULARY
    with pytest.raises(InputError, match="no such token"):
        ours.token_to_id("nowhere")
    for wrong in (-1, 20):
        with pytest.raises(InputError, match="no such id"):
            ours.id_to_token(wrong)
    with pytest.raises(InputTypeError, match=r"a token id must be an int[\s\S]*'a' \(str\)"):
        ours.id_to_token("a")  # type: ignore[arg-type]
    with pytest.raises(InputTypeError, match=r"a token id must be an int[\s\S]*1\.0 \(float\)"):
        ours.decode([5, 1.0], skip_special_tokens=False)  # type: ignore[list-item]


def test_special_tokens() -> None:
    ours = tokenizer()
    assert (ours.cls_token_id, ours.sep_token_id, ours.pad_token_id) == (CLS, SEP, PAD)
    assert (ours.start_token_id, ours.end_token_id) == (CLS, SEP)
    assert (ours.mask_token_id, ours.unk_token_id) == (MASK, UNK)
    assert (ours.mask_token, ours.start_token, ours.end_token) == ("[MASK]", "[CLS]", "[SEP]")
    assert ours.special_tokens == ["[CLS]", "[SEP]", "[PAD]", "[MASK]"]
    assert ours.special_token_ids == [CLS, SEP, PAD, MASK]


def test_unknown_arguments_and_lacking_tokens() -> None:
    with pytest.raises(ConfigError, match=r"unknown argument 'lower_case'[\s\S]*'lowercase'"):
        tokenizer(lower_case=True)
    with pytest.raises(ConfigError, match=r"lacks \[X\]"):
        tokenizer(oov_token="[X]")
    with pytest.raises(ConfigError, match="lacks nowhere"):
        tokenizer(special_tokens=["nowhere"])
    with pytest.raises(ConfigError, match=r"lacks \[CLS\], \[MASK\]"):
        BertTokenizer(["[UNK]", "[PAD]", "[SEP]"])


def test_another_oov_token() -> None:
    assert tokenizer(oov_token=".")("nowhere").tolist() == ids(".")


# -- the interface of npbert -----------------------------------------------------------------------


def test_encode_puts_the_special_tokens_around() -> None:
    encoded = tokenizer(lowercase=True).encode(["The fox", "", ("the fox", "an old stone")], 7)
    assert [row.tolist() for row in encoded.ids] == [
        [CLS, *ids("the", "fox"), SEP],
        [CLS, SEP],
        [CLS, *ids("the", "fox"), SEP, *ids("an", "old"), SEP],
    ]
    assert [row.tolist() for row in encoded.segment_ids] == [
        [0, 0, 0, 0],
        [0, 0],
        [0, 0, 0, 0, 1, 1, 1],
    ]
    assert encoded.full_lengths.tolist() == [4, 2, 8]
    assert encoded.cut.tolist() == [False, False, True]
    assert all(row.dtype == np.int32 for row in (*encoded.ids, *encoded.segment_ids))


def test_encode_is_a_call_and_the_special_tokens_whatever_the_settings_of_calls() -> None:
    ours = tokenizer(sequence_length=2, dtype="string")
    assert ours.encode(["the old fox"], 9).ids[0].tolist() == [
        *(CLS, *ids("the", "old", "fox"), SEP)
    ]


def test_encode_refuses() -> None:
    with pytest.raises(InputTypeError, match=r"texts\[1\]"):
        tokenizer().encode(["the", 3], 9)  # type: ignore[list-item]
    with pytest.raises(ConfigError, match="no room for the special tokens"):
        tokenizer().encode([("the", "fox")], 2)


def test_tokens_are_cut_as_encode_cuts_them() -> None:
    pair = ("the quick brown fox", "an old stone.")
    for length in (None, 3, 6, 7, 50):
        found = tokenizer().tokens(pair, length)
        encoded = tokenizer().encode([pair], length or 100)
        assert [token.id for token in found] == encoded.ids[0].tolist()
        assert [token.segment for token in found] == encoded.segment_ids[0].tolist()
    specials = [token.token for token in found if token.special]
    assert specials == ["[CLS]", "[SEP]", "[SEP]"]
    assert {(t.start, t.end) for t in found if t.special} == {(0, 0)}


def test_it_has_the_interface() -> None:
    ours: Tokenizer = tokenizer()
    assert (ours.num_special_tokens, ours.baked_limit) == (2, None)


@given(st.lists(st.text(st.sampled_from("thequickfx .é")), max_size=4), st.integers(2, 9))
def test_a_batch_is_its_texts(texts: list[str], length: int) -> None:
    ours = tokenizer(strip_accents=True)
    assert [row.tolist() for row in ours(texts)] == [ours(text).tolist() for text in texts]
    together = ours.encode(texts, length).ids
    alone = [ours.encode([text], length).ids[0] for text in texts]
    assert [row.tolist() for row in together] == [row.tolist() for row in alone]


def test_ten_million_characters() -> None:
    text = "The old fox, " * 770_000
    assert len(text) > 10**7
    assert len(tokenizer(lowercase=True)(text)) == 4 * 770_000


def test_threads_and_copies() -> None:
    ours = tokenizer(lowercase=True)
    texts = [f"{word} fox{i}" for i in range(300) for word in ("The", "an", "OLD")]
    expected = [row.tolist() for row in tokenizer(lowercase=True)(texts)]
    with ThreadPoolExecutor(4) as pool:
        for rows in pool.map(lambda _: ours(texts), range(4)):
            assert [row.tolist() for row in rows] == expected
    copy = pickle.loads(pickle.dumps(ours))
    assert [row.tolist() for row in copy(texts)] == expected
    assert copy.settings == ours.settings
