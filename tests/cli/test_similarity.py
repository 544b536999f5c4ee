"""``npbert similarity``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from text.tiny_model import write_json, write_tiny_model

from npbert import Embedder
from npbert.cli.similarity import SAMPLES

from .conftest import Npbert

pytestmark = pytest.mark.kernel


def test_the_table_has_the_cosines(npbert: Npbert, model: Path) -> None:
    done = npbert("similarity", "--model", model, "the river", "our mill")
    embedder = Embedder(model)
    cosine = embedder.similarity(embedder.encode("the river"), embedder.encode("our mill"))[0, 0]
    assert done.code == 0
    assert done.out.count(f"{cosine:.2f}") == 2
    assert "Try next" not in done.out
    assert npbert("similarity", "-m", model, "--dtype", "bfloat16", "the river", "mill").code == 0
    assert "2 texts -> 20 numbers each" in done.err


def test_the_table_names_the_measure_of_the_model(npbert: Npbert, tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    settings = {"similarity_fn_name": "manhattan"}
    write_json(tmp_path / "config_sentence_transformers.json", settings)
    done = npbert("similarity", "--model", tmp_path, "the river", "our mill")
    assert "(manhattan)" in done.out
    vectors = Embedder(tmp_path).encode(["the river", "our mill"])
    assert f"{-np.abs(vectors[0] - vectors[1]).sum():.2f}" in done.out


@pytest.mark.filterwarnings("always")
def test_without_texts_it_shows_a_sample_and_what_to_try(npbert: Npbert, model: Path) -> None:
    done = npbert("similarity", "--model", model)
    assert done.code == 0
    for text in SAMPLES:
        assert text in done.out
    assert "Try next:\n  npbert similarity" in done.out
    assert f"npbert info {model}" in done.out
