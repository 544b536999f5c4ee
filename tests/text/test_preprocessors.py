"""The three preprocessors beside Keras Hub's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npbert.errors import ConfigError, InputError
from npbert.text import preprocessors
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertMaskedLMPreprocessor

from .keras_tokens import CLS, SEP, golden, ids, tokenizer, write_saved

DTYPES = {"padding_mask": np.bool_}


@pytest.mark.parametrize("number", range(len(golden()["packed"])))
def test_inputs_of_keras_hub(number: int) -> None:
    case = golden()["packed"][number]
    full = BertTokenizer(golden()["vocabulary"], lowercase=True, special_tokens_in_strings=True)
    ours = getattr(preprocessors, case["class"])(full, **case["settings"])
    outputs = ours(tuple(case["segments"]))
    inputs, labels = (outputs[0], outputs[1:]) if case["labels"] else (outputs, ())
    assert list(inputs) == list(case["inputs"])
    for name, expected in case["inputs"].items():
        assert inputs[name].dtype == DTYPES.get(name, np.int32)
        assert inputs[name].tolist() == expected, name
    assert [array.tolist() for array in labels] == case["labels"]


@pytest.mark.parametrize("number", range(len(golden()["saved"])))
def test_files_of_keras_hub(number: int, tmp_path: Path) -> None:
    case = golden()["saved"][number]
    kind = getattr(preprocessors, case["class"])
    ours = kind.from_preset(write_saved(tmp_path, case["files"]))
    for name, value in case["settings"].items():
        assert ours.get_config()[name] == value
    files = {name: content.decode() for name, content in ours.preset_files().items()}
    assert files == case["files"]


def test_lengths_by_default() -> None:
    lengths = {
        name: getattr(preprocessors, f"Bert{name}Preprocessor")(tokenizer()).sequence_length
        for name in ("TextClassifier", "MaskedLM", "TextEmbedder")
    }
    assert lengths == {"TextClassifier": 512, "MaskedLM": 512, "TextEmbedder": 256}


def masked(**settings: Any) -> BertMaskedLMPreprocessor:
    return BertMaskedLMPreprocessor(tokenizer(), 9, mask_selection_length=4, **settings)


def test_hidden_tokens_one_text_and_a_batch() -> None:
    inputs, y, weights = masked(mask_selection_rate=1.0, seed=3)("the fox")
    assert inputs["mask_positions"].tolist() == [1, 2, 0, 0]
    assert y.tolist() == [*ids("the", "fox"), 0, 0]
    assert weights.tolist() == [1, 1, 0, 0]
    assert inputs["token_ids"][[0, 3]].tolist() == [CLS, SEP]
    inputs, y, weights = masked(mask_selection_rate=1.0)(["the fox", "", ("the", "fox")][:2])
    assert inputs["mask_positions"].shape == y.shape == weights.shape == (2, 4)
    assert weights.dtype == np.float32


def test_a_seed_repeats_it() -> None:
    texts = ["the quick brown fox jumped over an old stone"] * 7
    first, second = masked(seed=5)(texts), masked(seed=5)(texts)
    np.testing.assert_array_equal(first[0]["token_ids"], second[0]["token_ids"])
    assert len({row.tobytes() for row in first[0]["token_ids"]}) > 1
    assert "seed" not in masked(seed=5).get_config()


def test_labels_are_made_here() -> None:
    with pytest.raises(InputError, match="the labels are the tokens that are hidden"):
        masked()("the fox", y=[1])


def test_settings_are_checked_and_saved() -> None:
    with pytest.raises(ConfigError, match="mask_token_rate must be"):
        masked(mask_token_rate=2)
    with pytest.raises(ConfigError, match=r"unknown argument 'mask_rate'[\s\S]*'mask_token_rate'"):
        masked(mask_rate=0.1)
    config = masked(random_token_rate=0.05).get_config()
    assert (config["mask_selection_length"], config["random_token_rate"]) == (4, 0.05)
