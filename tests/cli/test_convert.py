"""``npbert convert``."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

import numpy as np
import pytest
from weights.model_files import PRESETS

from npbert import BertBackbone, Embedder
from npbert.dtype_policy import numpy_dtype
from npbert.presets import load_preset

from .conftest import Npbert


def weights(path: Path) -> dict[str, np.ndarray]:
    loaded = load_preset(path).weights
    assert loaded is not None
    return loaded


def same(path: Path, other: Path) -> bool:
    ours, theirs = weights(path), weights(other)
    return all(ours[name].tobytes() == theirs[name].tobytes() for name in ours | theirs)


def test_keras_to_hugging_face_and_back(npbert: Npbert, tmp_path: Path) -> None:
    source, middle, end = PRESETS / "keras_tiny", tmp_path / "hf", tmp_path / "keras"
    done = npbert("convert", source, middle, "--to", "hf")
    assert (done.code, done.out) == (0, "")
    assert f"keras_tiny -> {middle}, hf, float32" in done.err
    assert "nothing; the tokenizer stays in SRC" in done.err
    assert npbert("convert", middle, end, "--to", "keras").code == 0
    assert (middle / "model.safetensors").is_file()
    assert (end / "model.weights.h5").is_file()
    assert load_preset(middle).config == load_preset(source).config == load_preset(end).config
    assert same(source, middle)
    assert same(source, end)


def test_a_sentence_model_stays_one(npbert: Npbert, model: Path, tmp_path: Path) -> None:
    done = npbert("convert", model, tmp_path / "narrow", "--to", "hf", "--dtype", "bfloat16")
    assert done.code == 0, done.err
    assert "beside the weights: tokenizer.json" in done.err
    assert Embedder(tmp_path / "narrow").max_seq_length == Embedder(model).max_seq_length
    assert load_preset(tmp_path / "narrow").dtype == "bfloat16"


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
@pytest.mark.parametrize("to", ["hf", "keras"])
def test_a_width_and_back(npbert: Npbert, tmp_path: Path, to: str, dtype: str) -> None:
    """Through float64 nothing is lost; a narrower width is rounded to once."""
    source, middle, end = PRESETS / "keras_tiny", tmp_path / "middle", tmp_path / "end"
    assert npbert("convert", source, middle, "--to", to, "--dtype", dtype).code == 0
    found = load_preset(middle, dtype=dtype)
    assert found.dtype == dtype
    expected = weights(source)
    for name, array in (found.weights or {}).items():
        assert array.tobytes() == expected[name].astype(numpy_dtype(dtype)).tobytes()
    assert npbert("convert", middle, end, "--to", "keras").code == 0
    assert load_preset(end).dtype == "float32"
    assert same(source, end) == (dtype == "float64")


def test_what_keras_cannot_hold(npbert: Npbert, tmp_path: Path) -> None:
    source, end = PRESETS / "hf_tiny", tmp_path / "keras"
    done = npbert("convert", source, end, "--to", "keras")
    assert done.code == 1
    assert "Keras's format cannot hold activation 'gelu'" in done.err
    assert not end.exists()
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        done = npbert("convert", source, end, "--to", "keras", "--allow-lossy")
    assert done.code == 0
    assert f"npbert: warning: {end} does not say activation 'gelu'" in done.err
    assert BertBackbone.from_preset(end).activation == "gelu_approximate"
    assert same(source, end)


def unwrapped(shown: str) -> str:
    """Without the frame and the line breaks, which depend on how long the paths are."""
    return re.sub(r"[\s│]+", " ", shown)


def test_a_destination_with_files(npbert: Npbert, tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("kept")
    arguments = ("convert", PRESETS / "keras_tiny", tmp_path, "--to", "keras")
    done = npbert(*arguments)
    assert done.code == 2
    assert "is not empty" in unwrapped(done.err)
    assert npbert(*arguments, "--force").code == 0
    assert (tmp_path / "notes.txt").read_text() == "kept"
    assert same(PRESETS / "keras_tiny", tmp_path)
    done = npbert("convert", tmp_path, tmp_path, "--to", "keras", "--force")
    assert done.code == 2
    assert "is SRC itself" in unwrapped(done.err)
    done = npbert("convert", PRESETS / "keras_tiny", tmp_path / "notes.txt", "--to", "hf")
    assert done.code == 2
    assert "is not a directory" in unwrapped(done.err)


def test_the_help_teaches(npbert: Npbert) -> None:
    done = npbert("convert", "--help")
    text = unwrapped(done.out)
    assert done.code == 0
    assert "for Keras Hub's from_preset" in text
    assert "for transformers and sentence-transformers" in text
    assert "float32 keeps every bit" in text
    assert "Example: npbert convert" in text
