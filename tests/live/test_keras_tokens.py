"""Tokens beside Keras Hub's own: 20,000 texts of a new draw under every combination of settings."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from live import token_texts
from live.peers import ROOT, TIMEOUT, load

from golden.token_texts import settings
from npbert.backbone import BertBackbone
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessor import Preprocessor
from npbert.text.preprocessors import (
    BertMaskedLMPreprocessor,
    BertTextClassifierPreprocessor,
    BertTextEmbedderPreprocessor,
)
from npbert.text.unicode_classes import CONTROL, IGNORABLE, PUNCTUATION, ranges

pytestmark = pytest.mark.live

WORKERS = 2
SETTINGS = settings()


def _run(work: Path, seed: int, part: int) -> dict[str, np.ndarray]:
    """The tokens of a worker's share of the settings, once it has ended well."""
    environment = {
        **os.environ,
        "KERAS_BACKEND": "tensorflow",
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    }
    arguments = map(str, (work, seed, part, WORKERS))
    command = [sys.executable, "-m", "live.tokens_worker", *arguments]
    done = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=TIMEOUT
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return load(work, f"tokens_{part}")


@pytest.fixture(scope="module")
def texts(seed: int) -> list[str]:
    return token_texts.texts(seed)


@pytest.fixture(scope="module")
def vocabulary(seed: int, texts: list[str]) -> list[str]:
    return token_texts.vocabulary(seed, texts)


@pytest.fixture(scope="module")
def ours(vocabulary: list[str]) -> dict[str, Preprocessor]:
    """One of each preprocessor, all over a tokenizer that Keras's own file could not describe."""
    tokenizer = BertTokenizer(
        [token for token in vocabulary if token == token.rstrip()],
        lowercase=True,
        split_on_cjk=False,
        special_tokens=["ß"],
        special_tokens_in_strings=True,
    )
    return {
        "BertTextClassifierPreprocessor": BertTextClassifierPreprocessor(tokenizer, 23),
        "BertTextEmbedderPreprocessor": BertTextEmbedderPreprocessor(tokenizer, 19, "waterfall"),
        "BertMaskedLMPreprocessor": BertMaskedLMPreprocessor(tokenizer, 17, mask_selection_rate=0),
    }


@pytest.fixture(scope="module")
def theirs(tmp_path_factory: pytest.TempPathFactory, seed: int, ours) -> dict[str, np.ndarray]:
    """What the workers, which run at once, make of the texts, and of the presets that we saved."""
    work = tmp_path_factory.mktemp("tokens")
    for name, preprocessor in ours.items():
        size = preprocessor.tokenizer.vocabulary_size()
        BertBackbone(size, 0, 2, 6, 10).save_to_preset(work / "presets" / name)
        preprocessor.save_to_preset(work / "presets" / name)
    with ThreadPoolExecutor(WORKERS) as pool:
        shares = list(pool.map(lambda part: _run(work, seed, part), range(WORKERS)))
    return {name: array for share in shares for name, array in share.items()}


def test_the_texts_are_many_and_of_every_kind(texts: list[str], vocabulary: list[str]) -> None:
    assert len(texts) >= 20_000
    assert len(SETTINGS) >= 16
    lengths = {len(word.encode()) for text in texts for word in text.split()}
    assert {98, 99, 100, 101, 102} <= lengths
    assert len({character for text in texts for character in text}) > 20_000
    assert len(vocabulary) > 40_000


@pytest.mark.parametrize("number", range(len(SETTINGS)))
def test_equal_ids(number, texts, vocabulary, theirs, measured) -> None:
    tokenizer = BertTokenizer(vocabulary, **SETTINGS[number])
    rows = tokenizer(texts if tokenizer.settings.split else [[text] for text in texts])
    ids, lengths = theirs[f"{number}.ids"], theirs[f"{number}.lengths"]
    expected = np.split(ids, np.cumsum(lengths)[:-1])
    wrong = [i for i, row in enumerate(rows) if not np.array_equal(row, expected[i])]
    assert not wrong, [(texts[i], rows[i].tolist(), expected[i].tolist()) for i in wrong[:5]]
    if number == 0:
        measured(f"tokens: {len(texts)} texts under {len(SETTINGS)} settings, as Keras Hub's")


def test_keras_hub_loads_the_presets_that_we_save(ours, theirs, texts) -> None:
    for name, preprocessor in ours.items():
        inputs = preprocessor(token_texts.pairs(texts))
        inputs = inputs[0] if isinstance(inputs, tuple) else inputs
        for key, array in inputs.items():
            np.testing.assert_array_equal(array, theirs[f"{name}.{key}"], f"{name} {key}")
            assert array.dtype == theirs[f"{name}.{key}"].dtype


@pytest.mark.parametrize(
    ("table", "pattern"),
    [
        (PUNCTUATION, r"\p{P}"),
        (CONTROL, r"\p{Cc}|\p{Cf}"),
        (IGNORABLE, r"\p{Default_Ignorable_Code_Point}"),
    ],
)
def test_the_tables_are_those_of_the_library_that_keras_hub_splits_with(table, pattern) -> None:
    import regex

    compiled = regex.compile(pattern)
    codes = (code for code in range(sys.maxunicode + 1) if not 0xD800 <= code < 0xE000)
    expected = {code for code in codes if compiled.match(chr(code))}
    assert {c for first, last in ranges(table) for c in range(first, last + 1)} == expected
