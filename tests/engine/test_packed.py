"""Weights as the kernels read them: packed, padded with zeros, and recoverable."""

from __future__ import annotations

import ctypes
from unittest.mock import Mock

import goldens
import numpy as np
import pytest

from npbert.backbone import BertBackbone
from npbert.engine.packed import Dense, PackedWeights, random_weights, return_free_memory
from npbert.simd import buffers
from npbert.weights import weight_shapes


@pytest.mark.parametrize("shape", [(1, 1), (20, 29), (37, 48), (5, 49), (64, 160), (3, 17)])
def test_a_dense_layer_comes_back(shape):
    random = np.random.default_rng(1)
    kernel = random.standard_normal(shape, np.float32)
    bias = random.standard_normal(shape[1], np.float32)
    dense = Dense.empty(3, *shape)
    for i in range(3):
        dense.pack(i, kernel + i, bias - i)
    assert (dense.depth, dense.columns) == shape
    for i, panels in enumerate(dense.panels):
        np.testing.assert_array_equal(dense.kernel(i), kernel + i)
        np.testing.assert_array_equal(dense.bias[i, : shape[1]], bias - i)
        assert not dense.bias[i, shape[1] :].any()
        assert panels.shape == (shape[0] * buffers.padded(shape[1]),)
        assert np.count_nonzero(panels) == np.count_nonzero(kernel + i)
        assert panels.ctypes.data % buffers.ALIGNMENT == 0


@pytest.mark.parametrize("case", ["odd_width", "deep", "no_layers", "wide_dropout_zero"])
def test_there_is_one_copy_of_the_weights(case):
    """The dictionary is emptied, and nothing packed is a view of what it held, but for tables."""
    config, weights = goldens.config(case), goldens.weights(case)
    before = dict(weights)
    packed = PackedWeights(config, weights)
    assert weights == {}
    for name, value in before.items():
        if not name.endswith("/embeddings"):
            value[:] = 7
    for name, value in packed.unpack():
        np.testing.assert_array_equal(value, goldens.bundle(case).arrays[f"weights.{name}"], name)
        assert value.flags.c_contiguous
        assert not any(np.shares_memory(value, other) for other in before.values())


def test_a_table_is_copied_only_where_its_rows_are_no_whole_vectors():
    for case, copied in (("odd_width", True), ("head_64", False)):
        config, weights = goldens.config(case), goldens.weights(case)
        token = weights["token_embedding/embeddings"]
        assert (config.hidden_dim % 16 != 0) is copied
        packed = PackedWeights(config, weights)
        assert np.shares_memory(packed.tables["token"], token) is not copied


def test_a_model_keeps_its_own_tables():
    """Whatever its caller does later to the arrays he gave."""
    config, weights = goldens.config("head_64"), goldens.weights("head_64")
    model = BertBackbone.from_weights(config, weights)
    weights["token_embedding/embeddings"][:] = 7
    name, value = next(iter(model.weights()))
    np.testing.assert_array_equal(value, goldens.bundle("head_64").arrays[f"weights.{name}"])


def test_what_was_freed_goes_back_to_the_system(monkeypatch):
    return_free_memory()  # where there is a way, and where there is none
    for error in (AttributeError, OSError, TypeError):
        monkeypatch.setattr(ctypes, "CDLL", Mock(side_effect=error))
        return_free_memory()


def test_tables_and_norms_are_padded_with_zeros():
    packed = PackedWeights(goldens.config("odd_width"), goldens.weights("odd_width"))
    rows = [
        *packed.tables.values(),
        packed.embeddings_norm.gamma,
        packed.layers.output_norm.beta,
    ]
    for array in rows:
        assert array.shape[1] == 32
        assert not array[:, 20:].any()
        assert array.ctypes.data % buffers.ALIGNMENT == 0


def test_query_key_and_value_are_one_product():
    weights = goldens.weights("odd_width")
    at = "transformer_layer_0/self_attention_layer"
    kernels = [weights[f"{at}/{name}/kernel"].reshape(20, 20) for name in ("query", "key", "value")]
    packed = PackedWeights(goldens.config("odd_width"), weights)
    joined = packed.layers.query_key_value
    np.testing.assert_array_equal(joined.kernel(0), np.concatenate(kernels, axis=1))


def test_without_a_pooler():
    config = goldens.config("odd_width")
    weights = goldens.weights("odd_width")
    del weights["pooled_dense/kernel"], weights["pooled_dense/bias"]
    packed = PackedWeights(config, weights)
    assert packed.pooler is None
    assert [name for name, _ in packed.unpack()] == list(weight_shapes(config, pooler=False))


def test_random_weights_cover_the_shapes_they_are_given():
    shapes = {
        "a/kernel": (5, 3),
        "a/bias": (3,),
        "n/gamma": (4,),
        "n/beta": (4,),
        "t/embeddings": (2, 9),
    }
    made = random_weights(shapes, 3)
    assert {name: value.shape for name, value in made.items()} == shapes
    assert {value.dtype for value in made.values()} == {np.dtype(np.float32)}
    assert (made["n/gamma"] == 1).all()
    assert not made["a/bias"].any()
    assert not made["n/beta"].any()
    assert 0 < np.abs(made["a/kernel"]).max() <= 0.04
