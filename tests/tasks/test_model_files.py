"""The model of an embedder, its tokenizer and its limit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from text.tiny_model import CONFIG, WORDS, write_tiny_model

from npbert import BertBackbone, Embedder, config
from npbert.errors import ConfigError, ModelFileError
from npbert.tasks.model_files import load_backbone
from npbert.tasks.text_embedder import BertTextEmbedder
from tasks.task_models import backbone as tiny_backbone
from tasks.tiny_keras import preprocessor as tiny_preprocessor

pytestmark = pytest.mark.kernel  # loading a model packs weights for the machine's kernels

LONG = " ".join(WORDS)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")


def test_a_loaded_backbone(directory: Path) -> None:
    backbone = load_backbone(directory, None, 1)
    assert load_backbone(backbone, "gelu", 1) is backbone
    assert Embedder(backbone).backbone is backbone
    with pytest.raises(ConfigError, match="activation cannot be changed on a model that is loaded"):
        Embedder(backbone, activation="gelu_approximate")
    with pytest.raises(ConfigError, match="num_threads cannot be changed on a model that is"):
        Embedder(backbone, num_threads=2)
    assert Embedder(backbone, dtype="float32").backbone is backbone
    with pytest.raises(ConfigError) as caught:
        Embedder(backbone, dtype="bfloat16")
    assert str(caught.value) == (
        "dtype cannot be changed on a model that is loaded.\n"
        "  received: 'bfloat16'\n"
        "  expected: None or 'float32', which the model has\n"
        "  fix:      BertBackbone.from_preset(..., dtype='bfloat16')"
    )


def test_float32_unless_another_dtype_is_asked_for(directory: Path, tmp_path: Path) -> None:
    """Also of a Keras preset that was saved in another."""
    BertTextEmbedder(tiny_backbone(dtype="bfloat16"), tiny_preprocessor()).save_to_preset(tmp_path)
    assert BertBackbone.from_preset(tmp_path).dtype_policy.name == "bfloat16"
    for path in (directory, tmp_path):
        assert load_backbone(path, None, 1).dtype_policy.name == "float32"
        stored = load_backbone(path, None, 1, "bfloat16_from_float32")
        assert stored.dtype_policy.name == "bfloat16_from_float32"
    config.set_dtype_policy("float16_from_float32")
    try:
        assert load_backbone(directory, None, 1).dtype_policy.name == "float16_from_float32"
        assert load_backbone(directory, None, 1, "float32").dtype_policy.name == "float32"
    finally:
        config.set_dtype_policy(None)
    with pytest.raises(ConfigError, match="dtype is not one that npbert has"):
        Embedder(directory, dtype="int8")


def test_activation_is_the_models_unless_replaced(directory: Path) -> None:
    erf, tanh = Embedder(directory), Embedder(directory, activation="gelu_approximate")
    assert erf.backbone.config.activation == "gelu"
    assert tanh.backbone.config.activation == "gelu_approximate"
    assert 0 < np.abs(tanh.encode(WORDS) - erf.encode(WORDS)).max() < 1e-2
    with pytest.raises(ConfigError, match="activation"):
        Embedder(directory, activation="relu")


def test_max_seq_length(directory: Path) -> None:
    longer = Embedder(directory, max_seq_length=16)
    assert longer.max_seq_length == longer.limit.value == 16
    assert longer.limit.source == "the max_seq_length argument"
    longer.encode([LONG], on_truncate="error")
    with pytest.warns(UserWarning, match="after 15 tokens, the limit of the max_seq_length argu"):
        Embedder(directory, max_seq_length=15).encode(LONG)
    with pytest.raises(ConfigError, match=r"max_seq_length must be an int in \[3, 19\]"):
        Embedder(directory, max_seq_length=20)


def test_no_tokenizer(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    (tmp_path / "tokenizer.json").unlink()
    with pytest.raises(ModelFileError, match=r"no tokenizer\.json"):
        Embedder(tmp_path)


def test_a_tokenizer_of_another_model(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    path = tmp_path / "tokenizer.json"
    rules = json.loads(path.read_text())
    rules["model"]["vocab"]["millwheel"] = CONFIG.vocabulary_size
    path.write_text(json.dumps(rules))
    with pytest.raises(ConfigError, match="the tokenizer does not belong to the model"):
        Embedder(tmp_path)
