"""`BertTextEmbedder`: Keras Hub's pooling, and the same vectors however they are asked for."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from text.tiny_model import CONFIG, WORDS

from npbert import BertBackbone
from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.ops.pooling import l2_normalize
from npbert.tasks.text_embedder import BertTextEmbedder
from npbert.text.preprocessors import BertTextEmbedderPreprocessor

from . import tiny_keras
from .tiny_keras import FIELDS

pytestmark = pytest.mark.kernel

D = CONFIG.hidden_dim
TEXTS = ["the River runs", "", "our house near the old bridge", "unknownword, and more"]
MODES = ("mean", "cls", "max")


@pytest.fixture(scope="module")
def backbone() -> BertBackbone:
    return BertBackbone(**FIELDS, seed=1, num_threads=2)


@pytest.fixture(scope="module")
def preprocessor() -> BertTextEmbedderPreprocessor:
    return tiny_keras.preprocessor()


def inputs(rows: int = 5, tokens: int = 7, seed: int = 0) -> dict[str, np.ndarray]:
    """Holes in the masks, a first token that is masked, and a sequence of which nothing is kept."""
    random = np.random.default_rng(seed)
    mask = (random.random((rows, tokens)) < 0.6).astype(np.int32)
    mask[0], mask[1], mask[2, :2] = 1, 0, [0, 1]
    return {
        "token_ids": random.integers(0, CONFIG.vocabulary_size, (rows, tokens)),
        "segment_ids": random.integers(0, CONFIG.num_segments, (rows, tokens)),
        "padding_mask": mask,
    }


def definition(hidden: np.ndarray, mask: np.ndarray, mode: str, normalize: bool) -> np.ndarray:
    """keras_hub BertTextEmbedder, in NumPy: (B, T, D), (B, T) -> (B, D)."""
    kept = (mask != 0)[..., None]
    pooled = {
        "mean": (hidden * kept).sum(axis=1) / np.maximum(kept.sum(axis=1), 1e-9),
        "cls": hidden[:, 0],
        "max": np.where(kept, hidden, -np.inf).max(axis=1),
    }[mode]
    with np.errstate(invalid="ignore"):
        return l2_normalize(pooled) if normalize else pooled


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("normalize", [True, False])
def test_token_ids(backbone: BertBackbone, mode: str, normalize: bool) -> None:
    embedder, fed = BertTextEmbedder(backbone, None, mode, normalize), inputs()
    vectors = embedder(fed)
    assert (vectors.shape, vectors.dtype) == ((5, D), np.float32)
    hidden = np.float64(backbone(fed)["sequence_output"])
    expected = definition(hidden, fed["padding_mask"], mode, normalize)
    np.testing.assert_allclose(vectors, expected, rtol=1e-5, atol=1e-6)
    nothing_kept = {"mean": 0.0, "max": np.nan if normalize else -np.inf}
    if mode in nothing_kept:
        np.testing.assert_array_equal(vectors[1], np.full(D, nothing_kept[mode], np.float32))


@pytest.mark.parametrize("mode", MODES)
@settings(deadline=None, max_examples=10)
@given(batch_size=st.integers(1, 7), seed=st.integers(0, 99))
def test_predict_has_the_bits_of_a_call(
    backbone: BertBackbone, mode: str, batch_size: int, seed: int
) -> None:
    embedder, fed = BertTextEmbedder(backbone, None, mode, False), inputs(seed=seed)
    assert embedder.predict(fed, batch_size).tobytes() == embedder(fed).tobytes()


@pytest.mark.parametrize("mode", MODES)
def test_texts_have_the_bits_of_what_the_preprocessor_makes_of_them(
    backbone: BertBackbone, preprocessor: BertTextEmbedderPreprocessor, mode: str
) -> None:
    embedder = BertTextEmbedder(backbone, preprocessor, mode)
    expected = embedder(preprocessor(TEXTS)).tobytes()
    assert embedder.predict(TEXTS, batch_size=2).tobytes() == expected
    assert embedder.encode_text(TEXTS, batch_size=3).tobytes() == expected
    assert embedder.encode_documents(iter(TEXTS)).tobytes() == expected  # type: ignore[arg-type]
    one = embedder.encode_text(TEXTS[2])
    assert one.shape == (1, D)
    assert one.tobytes() == embedder.encode_documents([TEXTS[2]]).tobytes()
    np.testing.assert_allclose(np.linalg.norm(embedder.predict(TEXTS), axis=1), 1, atol=1e-6)


def test_a_text_that_is_too_long(
    backbone: BertBackbone, preprocessor: BertTextEmbedderPreprocessor
) -> None:
    embedder = BertTextEmbedder(backbone, preprocessor)
    long = " ".join(WORDS)
    with pytest.warns(
        UserWarning, match="cut 1 of 1 texts after 11 tokens, the limit of"
    ) as caught:
        vector = embedder.encode_text(long)
    assert caught[0].filename == __file__
    assert vector.tobytes() == embedder(preprocessor([long])).tobytes()


def test_similarity_is_the_dot_product(backbone: BertBackbone) -> None:
    embedder = BertTextEmbedder(backbone)
    a, b = np.float32([[1, 2], [3, 4]]), np.float32([[5, 6], [7, 8], [9, 10]])
    assert embedder.similarity(a, b).tolist() == (a @ b.T).tolist()


def test_nothing_to_embed(
    backbone: BertBackbone, preprocessor: BertTextEmbedderPreprocessor
) -> None:
    embedder = BertTextEmbedder(backbone, preprocessor)
    assert embedder.predict([]).shape == (0, D)
    none = {name: array[:0] for name, array in inputs().items()}
    assert embedder(none).shape == embedder.predict(none).shape == (0, D)


def test_what_is_refused(
    backbone: BertBackbone, preprocessor: BertTextEmbedderPreprocessor
) -> None:
    with pytest.raises(ConfigError, match=r"unknown pooling_mode 'maen'[\s\S]*did you mean 'mean'"):
        BertTextEmbedder(backbone, pooling_mode="maen")
    with pytest.raises(ConfigError, match="normalize must be True or False"):
        BertTextEmbedder(backbone, normalize=1)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="unknown argument 'pooling'"):
        BertTextEmbedder(backbone, pooling="mean")  # type: ignore[call-arg]
    with pytest.raises(InputTypeError, match="takes a BertBackbone"):
        BertTextEmbedder("tiny")  # type: ignore[arg-type]
    bare, whole = BertTextEmbedder(backbone), BertTextEmbedder(backbone, preprocessor)
    with pytest.raises(ConfigError, match="no preprocessor"):
        bare.predict(TEXTS)
    with pytest.raises(InputTypeError, match=r"a text must be a str[\s\S]*inputs\[1\]"):
        whole.predict(["mill", None])
    with pytest.raises(InputTypeError, match="a tuple is segments in Keras Hub"):
        whole.predict(("mill", "house"))
    with pytest.raises(ConfigError, match="batch_size must be an int of 1 or more"):
        whole.predict(TEXTS, batch_size=0)
    with pytest.raises(InputError, match="lacks padding_mask"):
        bare({"token_ids": [[1]], "segment_ids": [[0]]})


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("normalize", [True, False])
def test_saved_and_loaded(
    tmp_path: Path,
    backbone: BertBackbone,
    preprocessor: BertTextEmbedderPreprocessor,
    mode: str,
    normalize: bool,
) -> None:
    embedder = BertTextEmbedder(backbone, preprocessor, mode, normalize)
    embedder.save_to_preset(tmp_path)
    task = json.loads((tmp_path / "task.json").read_text())
    assert task["registered_name"] == "keras_hub>BertTextEmbedder"
    assert {**task["config"], "backbone": 0, "preprocessor": 0} == {
        "backbone": 0,
        "preprocessor": 0,
        "name": "bert_text_embedder",
        "pooling_mode": mode,
        "normalize": normalize,
    }
    assert not (tmp_path / "task.weights.h5").exists()
    loaded = BertTextEmbedder.from_preset(tmp_path)
    assert (loaded.pooling_mode, loaded.normalize) == (mode, normalize)
    assert loaded.predict(TEXTS).tobytes() == embedder.predict(TEXTS).tobytes()
    assert loaded.get_config() == embedder.get_config()


def test_other_settings_than_those_saved(
    tmp_path: Path, backbone: BertBackbone, preprocessor: BertTextEmbedderPreprocessor
) -> None:
    BertTextEmbedder(backbone, preprocessor, "max").save_to_preset(tmp_path)
    options: dict[str, Any] = {"pooling_mode": "cls", "normalize": False, "name": "other"}
    loaded = BertTextEmbedder.from_preset(tmp_path, preprocessor=None, **options)
    assert (loaded.pooling_mode, loaded.normalize, loaded.name) == ("cls", False, "other")
    assert loaded.preprocessor is None
    shorter = BertTextEmbedder.from_preset(tmp_path, max_seq_length=5)
    assert shorter.preprocessor is not None
    assert shorter.preprocessor.sequence_length == 5
    untrained = BertTextEmbedder.from_preset(tmp_path, load_weights=False)
    assert untrained.predict(TEXTS).tobytes() != loaded(preprocessor(TEXTS)).tobytes()
