"""What every tokenizer gives, and which one a directory gets."""

from __future__ import annotations

import dataclasses
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from npbert.errors import ConfigError
from npbert.text.tokenizer import Encoded, Token, Tokenizer, check_vocabulary, load_tokenizer

from . import tiny_model
from .tiny_model import CLS, CONFIG, SEP


def test_lengths_and_cuts_are_derived() -> None:
    ids = [np.arange(n, dtype=np.int32) for n in (3, 5, 2)]
    encoded = Encoded(ids, ids, np.array([3, 11, 2]))
    assert encoded.lengths.tolist() == [3, 5, 2]
    assert encoded.cut.tolist() == [False, True, False]
    assert encoded.truncated == 1


def test_no_texts() -> None:
    encoded = Encoded([], [], np.empty(0, np.int64))
    assert (encoded.lengths.shape, encoded.cut.shape, encoded.truncated) == ((0,), (0,), 0)


def test_hugging_faces_directory_gets_its_own(tmp_path: Path) -> None:
    tiny_model.tokenizer().save(str(tmp_path / "tokenizer.json"))
    loaded: Tokenizer = load_tokenizer(tmp_path, "hugging_face")
    assert loaded.tokens("mill")[1] == Token(loaded.token_to_id("mill"), "mill", 0, 4, False, 0)
    assert (loaded.cls_token_id, loaded.sep_token_id) == (CLS, SEP)


def test_no_library_is_imported_before_a_tokenizer_is_loaded() -> None:
    code = "import sys, npbert.text.tokenizer; sys.exit('tokenizers' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_a_vocabulary_larger_than_the_models(tmp_path: Path) -> None:
    tiny_model.tokenizer().save(str(tmp_path / "tokenizer.json"))
    loaded = load_tokenizer(tmp_path, "hugging_face")
    larger = dataclasses.replace(CONFIG, vocabulary_size=CONFIG.vocabulary_size + 1)
    smaller = dataclasses.replace(CONFIG, vocabulary_size=CONFIG.vocabulary_size - 1)
    check_vocabulary(loaded, CONFIG, tmp_path)
    check_vocabulary(loaded, larger, tmp_path)
    with pytest.raises(
        ConfigError, match=r"does not belong[\s\S]*32 tokens; vocabulary_size=31"
    ) as caught:
        check_vocabulary(loaded, smaller, tmp_path)
    assert caught.value.where == tmp_path
