"""The models raced, as directories."""

from __future__ import annotations

import numpy as np
import pytest

import npbert
from npbert.bench import models, works
from npbert.errors import ConfigError
from npbert.presets import load_preset
from npbert.weights.names import tensors


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return models.find("tiny", tmp_path_factory.mktemp("models"))


def test_npbert_reads_what_was_written(tiny):
    preset = load_preset(tiny)
    config = models.MODELS["tiny"].config
    assert preset.config == config == models.config_of(tiny)
    drawn = models.draw_weights(config)
    for tensor in tensors(config):
        ours = tensor.from_hugging_face(drawn[tensor.hugging_face])
        np.testing.assert_array_equal(preset.weights[tensor.name], ours)


def test_no_tensor_is_constant():
    """A peer that left one out would not be seen if it were 0 or 1 throughout."""
    assert all(
        array.std() > 0.005 for array in models.draw_weights(models.MODELS["tiny"].config).values()
    )


def test_it_is_written_once(tiny):
    before = (tiny / "model.safetensors").stat().st_mtime_ns
    assert models.find("tiny", tiny.parent) == tiny
    assert (tiny / "model.safetensors").stat().st_mtime_ns == before


@pytest.mark.kernel
def test_the_tiny_model_embeds_texts(tiny):
    vectors = npbert.Embedder(tiny, num_threads=1).encode(["ab 7", "c"])
    assert vectors.shape == (2, 48)
    np.testing.assert_allclose(np.square(vectors).sum(axis=1), 1, rtol=1e-5)


@pytest.mark.real_weights
def test_minilm_is_the_installed_one(tmp_path):
    assert models.config_of(models.find("minilm", tmp_path)).hidden_dim == 384
    assert not list(tmp_path.iterdir())


def test_works_that_cannot_be_done():
    models.check(works.parse(["bert-base-1x512", "minilm-3x512", "tiny-ragged"]))
    with pytest.raises(ConfigError, match="the bench has no such model"):
        models.check(works.parse(["bert-huge-1x2"]))
    for shape in ("0x5", "5x0", "1x513"):
        with pytest.raises(ConfigError, match="the model cannot take this shape"):
            models.check(works.parse([f"minilm-{shape}"]))
