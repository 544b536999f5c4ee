"""The Dense module from its two files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from weights.model_files import write_safetensors

from npbert.errors import ModelFileError, UnsafeModelError, UnsupportedModelError, WeightError
from npbert.text.dense import read_dense

from .tiny_model import write_dense, write_json

IN, OUT = 7, 5


def test_weights_are_those_of_x_at_w(tmp_path: Path) -> None:
    linear = write_dense(tmp_path, IN, OUT)
    dense = read_dense(tmp_path)
    assert dense.activation == "tanh"
    np.testing.assert_array_equal(dense.weight, linear["linear.weight"].T)
    np.testing.assert_array_equal(dense.bias, linear["linear.bias"])  # type: ignore[arg-type]
    assert dense.weight.flags.c_contiguous
    assert dense.weight.shape == (IN, OUT)


def test_no_bias(tmp_path: Path) -> None:
    write_dense(tmp_path, IN, OUT, bias=False)
    assert read_dense(tmp_path).bias is None


@pytest.mark.parametrize(
    ("name", "activation"),
    [
        ("torch.nn.modules.linear.Identity", "identity"),
        ("torch.nn.modules.activation.Tanh", "tanh"),
        ("torch.nn.modules.activation.GELU", "gelu"),
        ("torch.nn.ReLU", "relu"),
        ("torch.nn.modules.activation.Sigmoid", "sigmoid"),
    ],
)
def test_activations(tmp_path: Path, name: str, activation: str) -> None:
    write_dense(tmp_path, IN, OUT, activation_function=name)
    assert read_dense(tmp_path).activation == activation


@pytest.mark.parametrize("name", ["torch.nn.Mish", "mine.Tanh", "Tanh", "", None, 3])
def test_an_unknown_activation(tmp_path: Path, name: object) -> None:
    write_dense(tmp_path, IN, OUT, activation_function=name)
    with pytest.raises(UnsupportedModelError, match=r"no activation[\s\S]*torch\.nn\.Identity"):
        read_dense(tmp_path)


@pytest.mark.parametrize(
    ("fields", "what"),
    [
        ({"use_residual": True}, "residual connection"),
        ({"module_input_name": "token_embeddings"}, "module_input_name is 'token_embeddings'"),
        ({"module_output_name": "other"}, "module_output_name is 'other'"),
    ],
)
def test_what_npbert_does_not_run(tmp_path: Path, fields: dict[str, Any], what: str) -> None:
    write_dense(tmp_path, IN, OUT, **fields)
    with pytest.raises(UnsupportedModelError, match=what):
        read_dense(tmp_path)


def test_the_usual_input_and_output(tmp_path: Path) -> None:
    names = {"module_input_name": "sentence_embedding", "module_output_name": None}
    write_dense(tmp_path, IN, OUT, **names, use_residual=False)
    assert read_dense(tmp_path).weight.shape == (IN, OUT)


def test_a_pickle_is_refused(tmp_path: Path) -> None:
    write_dense(tmp_path, IN, OUT)
    (tmp_path / "model.safetensors").rename(tmp_path / "pytorch_model.bin")
    with pytest.raises(UnsafeModelError, match=r"a pickle[\s\S]*model\.safetensors[\s\S]*convert"):
        read_dense(tmp_path)


@pytest.mark.parametrize("config", [{}, {"in_features": 7}, {"in_features": 7, "out_features": 0}])
def test_a_damaged_config(tmp_path: Path, config: dict[str, Any]) -> None:
    write_json(tmp_path / "config.json", config)
    with pytest.raises(ModelFileError, match=r"1 or more as (in|out)_features"):
        read_dense(tmp_path)


def test_weights_of_another_config(tmp_path: Path) -> None:
    write_dense(tmp_path, IN, OUT)
    write_json(tmp_path / "config.json", {"in_features": OUT, "out_features": IN})
    with pytest.raises(WeightError, match="'weight' has the wrong shape"):
        read_dense(tmp_path)
    write_json(tmp_path / "config.json", {"in_features": IN, "out_features": OUT, "bias": False})
    with pytest.raises(WeightError, match=r"without a place in the config[\s\S]*linear\.bias"):
        read_dense(tmp_path)
    write_safetensors(tmp_path / "model.safetensors", {"linear.bias": np.ones(OUT, np.float32)})
    with pytest.raises(WeightError, match=r"1 tensor is missing[\s\S]*linear\.weight"):
        read_dense(tmp_path)


def test_no_weights(tmp_path: Path) -> None:
    write_dense(tmp_path, IN, OUT)
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(ModelFileError, match="does not exist"):
        read_dense(tmp_path)
