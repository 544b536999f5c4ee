"""npbert's own models as sources."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import GOLDEN
from tasks.tiny_keras import keras_preset
from text.tiny_model import LIMIT, write_tiny_model

from npbert import BertBackbone, Embedder
from npbert.parity.sources import open_source
from npbert.parity.sources.of_npbert import NpbertSource

pytestmark = pytest.mark.kernel

TEXTS = ["The river runs", "", "a mill", "our house near the old stone bridge under the river"]


@pytest.fixture
def directory(tmp_path):
    return write_tiny_model(tmp_path)


def test_stages_and_weights():
    golden = open_source(f"bundle:{GOLDEN / 'presets' / 'keras_tiny'}#tf32")
    source = open_source(str(GOLDEN / "presets" / "keras_tiny"))
    assert source.config == golden.config
    assert golden.recorded is not None
    stages = source.run(golden.recorded)
    assert {"layer.1.scores", "layer.0.probs", "embeddings.sum", "pooled_output"} <= stages.keys()
    for name, array in golden.run(golden.recorded).items():
        np.testing.assert_allclose(stages[name], array, atol=1e-5)
    ours, theirs = source.weights(), golden.weights()
    assert ours is not None
    assert theirs is not None
    assert ours.keys() == theirs.keys()
    for name, array in theirs.items():
        np.testing.assert_array_equal(ours[name], array)
    assert source.tokenize(TEXTS) is source.encode(TEXTS) is None


def test_another_dtype():
    path = GOLDEN / "presets" / "hf_tiny"
    source = open_source(f"npbert:{path}@float64")
    assert source.environment["dtype"] == "float64"
    weights = source.weights()
    assert weights is not None
    assert {tensor.dtype.name for tensor in weights.values()} == {"float64"}


def test_tokens(directory):
    tokens = open_source(str(directory)).tokenize(TEXTS)
    assert tokens is not None
    assert tokens.tokens[0] == ["[CLS]", "the", "river", "runs", "[SEP]"]
    assert tokens.offsets is not None
    assert tokens.offsets[0] == [(0, 0), (0, 3), (4, 9), (10, 14), (0, 0)]
    assert tokens.tokens[1] == ["[CLS]", "[SEP]"]
    assert len(tokens.ids[3]) == LIMIT
    assert tokens.segment_ids == [[0] * len(row) for row in tokens.ids]


def test_vectors_before_and_after_the_last_modules(directory):
    found = open_source(str(directory)).encode(TEXTS)
    assert found is not None
    np.testing.assert_array_equal(
        found["text.vector"], Embedder(directory).encode(TEXTS, on_truncate="ignore")
    )
    pooled = found["text.pooling"]
    lengths = np.linalg.norm(pooled, axis=1, keepdims=True)
    assert not np.allclose(lengths, 1)
    np.testing.assert_allclose(found["text.vector"], pooled / lengths, rtol=1e-5)


def test_a_directory_that_says_nothing_of_pooling(directory):
    (directory / "modules.json").unlink()
    source = open_source(str(directory))
    assert "says nothing of pooling" in source.notes[0]
    found = source.encode(TEXTS)
    assert found is not None
    np.testing.assert_array_equal(found["text.pooling"], found["text.vector"])


def test_a_preset_of_keras(tmp_path):
    path = keras_preset(tmp_path / "preset")
    source = open_source(str(path))
    found = source.encode(TEXTS)
    assert found is not None
    vectors = Embedder(path).encode(TEXTS, on_truncate="ignore")
    np.testing.assert_array_equal(found["text.vector"], vectors)
    tokens = source.tokenize(TEXTS)
    assert tokens is not None
    assert len(tokens.ids[3]) == LIMIT
    (path / "task.json").unlink()
    assert open_source(str(path)).encode(TEXTS) is None


def test_a_model_in_memory():
    model = BertBackbone(13, 1, 2, 6, 9, max_sequence_length=5, num_segments=3, seed=4)
    source = NpbertSource(model)
    assert source.config == model.config
    assert source.environment["npbert"]
    ids = np.int32([[1, 2, 3]])
    stages = source.run({"token_ids": ids, "segment_ids": 0 * ids, "padding_mask": ids})
    assert stages["layer.0.intermediate"].shape == (1, 3, 9)
