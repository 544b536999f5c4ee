"""Directories in Hugging Face's format."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest
from weights.model_files import CONFIG, assert_same, random_arrays

from npbert.errors import ConfigError, WeightError
from npbert.presets import load_preset
from npbert.presets.savable import Model
from npbert.presets.save import save_preset
from npbert.presets.save_hugging_face import hugging_face_object, save_hugging_face
from npbert.weights.dtypes import ITEM_BYTES

ARRAYS = random_arrays()
BARE = {name: a for name, a in ARRAYS.items() if not name.startswith("pooled_dense/")}
ERF = dataclasses.replace(CONFIG, activation="gelu", layer_norm_epsilon=1e-5, dropout=0.25)


@pytest.mark.parametrize("dtype", ITEM_BYTES)
@pytest.mark.parametrize("config", [CONFIG, ERF], ids=["tanh", "erf"])
@pytest.mark.parametrize("arrays", [ARRAYS, BARE], ids=["whole", "no pooler"])
def test_there_and_back(tmp_path: Path, dtype: str, config, arrays):
    model = Model(config, arrays.items(), "pooled_dense/bias" in arrays)
    save_hugging_face(tmp_path / "a", model, dtype=dtype)
    loaded = load_preset(tmp_path / "a")
    assert (loaded.config, loaded.dtype, loaded.kind) == (config, dtype, "hugging_face")
    assert loaded.weights is not None
    assert loaded.policy.name == "float32"
    assert_same(loaded.weights, arrays)
    names = {path.name for path in (tmp_path / "a").iterdir()}
    assert names == {"config.json", "model.safetensors"}


def test_the_config():
    assert hugging_face_object(ERF, "float16") == {
        "architectures": ["BertModel"],
        "model_type": "bert",
        "vocab_size": 11,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "hidden_size": 12,
        "intermediate_size": 13,
        "max_position_embeddings": 7,
        "type_vocab_size": 5,
        "attention_probs_dropout_prob": 0.25,
        "layer_norm_eps": 1e-5,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.25,
        "initializer_range": 0.02,
        "pad_token_id": 0,
        "position_embedding_type": "absolute",
        "dtype": "float16",
        "torch_dtype": "float16",
    }
    assert hugging_face_object(CONFIG, "float32")["hidden_act"] == "gelu_new"


def test_a_keras_preset_is_not_overwritten(tmp_path: Path):
    save_preset(tmp_path, Model(CONFIG, ARRAYS.items(), True))
    with pytest.raises(ConfigError, match="holds a model in another format") as error:
        save_hugging_face(tmp_path, Model(CONFIG, ARRAYS.items(), True))
    assert error.value.expected == "a Hugging Face model, or a directory without config.json"


def test_nothing_is_left_of_a_failure(tmp_path: Path):
    huge = ARRAYS | {"pooled_dense/bias": ARRAYS["pooled_dense/bias"] + 1e6}
    with pytest.raises(WeightError, match="too large for float16"):
        save_hugging_face(
            tmp_path / "a",
            Model(CONFIG, huge.items(), True),
            dtype="float16",
            assets={"1_Pooling/config.json": b"{}"},
        )
    assert list(tmp_path.iterdir()) == []
