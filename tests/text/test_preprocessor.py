"""Texts and pairs to inputs of one length: shapes, segments, what is refused, files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessor import Preprocessor
from npbert.text.preprocessors import BertTextClassifierPreprocessor, BertTextEmbedderPreprocessor

from .keras_tokens import CLS, PAD, SEP, change_json, ids, saved_files, tokenizer, write_saved


def preprocessor(length: int = 7, **settings: Any) -> Preprocessor:
    return BertTextClassifierPreprocessor(tokenizer(lowercase=True), length, **settings)


def test_one_text() -> None:
    found = preprocessor()("The fox.")
    assert list(found) == ["token_ids", "padding_mask", "segment_ids"]
    assert found["token_ids"].tolist() == [CLS, *ids("the", "fox", "."), SEP, PAD, PAD]
    assert found["padding_mask"].tolist() == [True] * 5 + [False] * 2
    assert found["segment_ids"].tolist() == [0] * 7
    assert [a.dtype for a in found.values()] == [np.int32, np.bool_, np.int32]


def test_a_pair_is_a_pair() -> None:
    found = preprocessor()(("the fox", "an old stone"))
    assert found["token_ids"].tolist() == [CLS, *ids("the", "fox"), SEP, *ids("an", "old"), SEP]
    assert found["segment_ids"].tolist() == [0, 0, 0, 0, 1, 1, 1]
    cut = preprocessor(6, truncate="waterfall")(("the quick fox", "an old stone"))
    assert cut["token_ids"].tolist() == [CLS, *ids("the", "quick", "fox"), SEP, SEP]


def test_a_batch_of_pairs_in_both_forms() -> None:
    columns = preprocessor()((["the", "fox"], ["old", ""]))
    rows = preprocessor()([("the", "old"), ("fox", "")])
    for name, array in columns.items():
        assert array.shape == (2, 7)
        np.testing.assert_array_equal(array, rows[name])


def test_three_segments() -> None:
    found = preprocessor(9)(("the", "", "fox"))
    assert found["segment_ids"].tolist() == [0, 0, 0, 1, 2, 2, 0, 0, 0]


def test_a_literal_pad_is_masked() -> None:
    whole = BertTextClassifierPreprocessor(tokenizer(special_tokens_in_strings=True), 5)
    assert whole("[PAD] fox")["padding_mask"].tolist() == [True, False, True, True, False]


def test_an_empty_batch_and_an_empty_text() -> None:
    assert {a.shape for a in preprocessor()([]).values()} == {(0, 7)}
    assert preprocessor()("")["token_ids"].tolist() == [CLS, SEP, *[PAD] * 5]


def test_labels_and_weights_are_handed_on() -> None:
    labels, weights = object(), object()
    inputs, y = preprocessor()(["the"], labels)
    assert y is labels
    found = preprocessor()(["the"], y=labels, sample_weight=weights)
    assert found[1:] == (labels, weights)
    np.testing.assert_array_equal(found[0]["token_ids"], inputs["token_ids"])


def test_weights_without_labels() -> None:
    with pytest.raises(InputError, match="sample_weight comes without y"):
        preprocessor()(["the"], sample_weight=[1.0])


def test_labels_in_the_place_of_segments() -> None:
    with pytest.raises(InputTypeError, match=r"x\[1\]\[0\][\s\S]*pass labels as y="):
        preprocessor()((["the", "fox"], [0, 1]))


def test_the_length_can_be_set() -> None:
    ours = preprocessor()
    ours.sequence_length = 4
    assert ours("the old fox")["token_ids"].tolist() == [CLS, *ids("the", "old"), SEP]
    assert ours.get_config()["sequence_length"] == 4
    with pytest.raises(ConfigError, match="sequence_length must be an int in \\[3, 1000000\\]"):
        ours.sequence_length = 2
    assert ours.sequence_length == 4


def test_a_length_without_room_for_the_segments() -> None:
    with pytest.raises(ConfigError, match=r"no room for a word[\s\S]*3 for 2 segments"):
        preprocessor(3)(("the", "fox"))
    assert preprocessor(4)(("the", "fox"))["token_ids"].tolist() == [CLS, *ids("the"), SEP, SEP]


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"sequence_length": 1}, "sequence_length must be an int in \\[3, 1000000\\]"),
        ({"sequence_length": None}, "sequence_length must be an int in \\[3, 1000000\\]"),
        ({"sequence_length": 8.0}, "sequence_length must be an int"),
        ({"truncate": "longest_first"}, "truncate is not a way[\\s\\S]*'round_robin' or"),
        ({"truncate": None}, "truncate is not a way"),
        ({"seqence_length": 9}, "unknown argument 'seqence_length'[\\s\\S]*'sequence_length'"),
        ({"mask_selection_rate": 0.1}, "unknown argument 'mask_selection_rate'"),
    ],
)
def test_wrong_settings(settings: dict[str, Any], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        BertTextEmbedderPreprocessor(tokenizer(), **settings)


@pytest.mark.parametrize(
    "settings", [{"split": False}, {"sequence_length": 7}, {"dtype": "string"}]
)
def test_a_tokenizer_that_does_too_much(settings: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="does not leave it to the preprocessor"):
        BertTextClassifierPreprocessor(tokenizer(**settings))


def test_another_tokenizer() -> None:
    with pytest.raises(ConfigError, match="must be a BertTokenizer"):
        BertTextClassifierPreprocessor(str.split)  # type: ignore[arg-type]


words = st.lists(st.sampled_from(["the", "fox", "foxes", "quick", "."]), max_size=9).map(" ".join)


@given(
    st.lists(st.lists(words, min_size=1, max_size=3).map(tuple), max_size=4),
    st.integers(5, 20),
    st.sampled_from(["round_robin", "waterfall"]),
)
def test_what_every_input_has(samples: list[Any], length: int, truncate: str) -> None:
    found = preprocessor(length, truncate=truncate)(samples)
    for i, segments in enumerate(samples):
        kept = int(found["padding_mask"][i].sum())
        assert found["padding_mask"][i, :kept].all()
        row, of = found["token_ids"][i, :kept], found["segment_ids"][i]
        assert row[0] == CLS
        assert row[-1] == SEP
        assert (row == SEP).sum() == len(segments)
        assert (np.diff(of[:kept]) >= 0).all()
        assert of[kept - 1] == len(segments) - 1
        assert not of[kept:].any()
        whole = 1 + sum(len(tokenizer()(text)) + 1 for text in segments)
        assert kept == min(whole, length)


# -- files -----------------------------------------------------------------------------------------


def test_from_preset_of_its_own_class_and_of_another(tmp_path: Path) -> None:
    write_saved(tmp_path, saved_files())
    own = BertTextClassifierPreprocessor.from_preset(tmp_path)
    assert (own.sequence_length, own.truncate) == (12, "waterfall")
    assert own.tokenizer.settings.special_tokens == ("fox",)
    other = BertTextEmbedderPreprocessor.from_preset(str(tmp_path), truncate="waterfall")
    assert (other.sequence_length, other.truncate) == (256, "waterfall")
    assert other.tokenizer.get_config() == own.tokenizer.get_config()


def test_from_preset_without_a_preprocessor(tmp_path: Path) -> None:
    tokenizer(lowercase=True).save_to_preset(tmp_path)
    ours = BertTextClassifierPreprocessor.from_preset(tmp_path, sequence_length=5)
    assert ours("FOX")["token_ids"].tolist() == [CLS, *ids("fox"), SEP, PAD, PAD]


def test_from_preset_with_a_tokenizer_of_ones_own(tmp_path: Path) -> None:
    write_saved(tmp_path, saved_files())
    mine = tokenizer()
    assert BertTextClassifierPreprocessor.from_preset(tmp_path, tokenizer=mine).tokenizer is mine


def test_unknown_settings_in_the_file(tmp_path: Path) -> None:
    write_saved(tmp_path, saved_files())
    change_json(tmp_path / "preprocessor.json", padding_side="left")
    with pytest.raises(ConfigError, match="unknown argument 'padding_side'"):
        BertTextClassifierPreprocessor.from_preset(tmp_path)


def test_what_is_saved_is_what_is_loaded(tmp_path: Path) -> None:
    ours = preprocessor(9, truncate="waterfall", name="mine")
    ours.save_to_preset(tmp_path)
    again = BertTextClassifierPreprocessor.from_preset(tmp_path)
    assert again.get_config() == ours.get_config()
    assert json.loads((tmp_path / "preprocessor.json").read_text()) == ours.keras_object()
    assert BertTokenizer.from_preset(tmp_path).get_config() == ours.tokenizer.get_config()
