"""Weights as the kernels read them: packed, padded with zeros, and recoverable."""

from __future__ import annotations

import ctypes
from unittest.mock import Mock

import goldens
import numpy as np
import pytest

from npbert.backbone import BertBackbone
from npbert.dtype_policy import DTypePolicy, numpy_dtype
from npbert.engine.packed import Dense, PackedWeights, random_weights, return_free_memory
from npbert.engine.run import Engine
from npbert.simd import buffers
from npbert.simd.precision import BFLOAT16, FLOAT16, PRECISIONS
from npbert.weights import weight_shapes

every_precision = pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)


def weights_in(case, dtype):
    """The case's, rounded to the dtype of this name."""
    return goldens.weights(case, numpy_dtype(dtype))


def assert_same(value, expected, name):
    """One dtype and, where no number is NaN, one tensor; also -0.0 is not 0.0."""
    assert value.dtype == expected.dtype, name
    np.testing.assert_array_equal(goldens.bits(value), goldens.bits(expected), name)


@pytest.mark.parametrize("shape", [(1, 1), (20, 29), (37, 48), (5, 49), (64, 160), (3, 17)])
@every_precision
def test_a_dense_layer_comes_back(shape, precision):
    random, dtype = np.random.default_rng(1), numpy_dtype(precision.stored)
    kernels = random.standard_normal((3, *shape)).astype(dtype)
    biases = random.standard_normal((3, shape[1])).astype(dtype)
    dense = Dense.empty(3, *shape, precision)
    for i in range(3):
        dense.pack(i, kernels[i], biases[i])
    assert (dense.depth, dense.columns) == shape
    rows = shape[0] + (shape[0] % 2 if precision.stored == "bfloat16" else 0)
    for i, panels in enumerate(dense.panels):
        kernel, bias = dense.unpack(i)
        assert_same(kernel, kernels[i], "kernel")
        assert_same(bias, biases[i], "bias")
        assert not dense.bias[i, shape[1] :].any()
        assert panels.shape == (rows * buffers.padded(shape[1]),)
        assert panels.itemsize == dtype.itemsize
        assert np.count_nonzero(panels) == np.count_nonzero(kernels[i])
        vector = 32 if precision.stored == "float16" else buffers.ALIGNMENT  # a cache line at most
        assert panels.ctypes.data % vector == 0


@pytest.mark.parametrize("case", ["odd_width", "deep", "no_layers", "wide_dropout_zero"])
@every_precision
def test_there_is_one_copy_of_the_weights(case, precision):
    """The dictionary is emptied, and nothing packed is a view of what it held, but for tables."""
    config, weights = goldens.config(case), weights_in(case, precision.stored)
    before, expected = dict(weights), weights_in(case, precision.stored)
    packed = PackedWeights(config, weights, precision)
    assert weights == {}
    for name, value in before.items():
        if not name.endswith("/embeddings"):
            value[:] = 7
    for name, value in packed.unpack():
        assert_same(value, expected[name], name)
        assert value.flags.c_contiguous
        assert not any(np.shares_memory(value, other) for other in before.values())


@pytest.mark.parametrize("case", ["odd_width", "no_layers", "wide_dropout_zero"])
@pytest.mark.parametrize("dtype", goldens.POLICIES)
def test_every_policy_keeps_its_variables(case, dtype):
    """Also a mixed one, whose kernels read fewer bits; and it is no longer the caller's array."""
    config, policy = goldens.config(case), DTypePolicy(dtype)
    weights = weights_in(case, policy.variable_dtype)
    expected = weights_in(case, policy.variable_dtype)
    engine = Engine(config, weights, 1, policy)
    assert weights == {}
    for _ in range(2):
        found = dict(engine.weights.unpack())
        assert found.keys() == expected.keys()
        for name, value in found.items():
            assert_same(value, expected[name], name)
            value[:] = 7
    assert engine.weights.precision.name == dtype.removeprefix("mixed_")


@pytest.mark.parametrize("precision", [FLOAT16, BFLOAT16], ids=lambda each: each.name)
def test_a_mixed_model_rounds_what_keras_rounds(precision):
    """Tables, kernels and biases where they are used; scales and shifts of layer norms not."""
    dtype = numpy_dtype(precision.stored)
    random = np.random.default_rng(2)
    kept = goldens.weights("odd_width")
    kept = {name: random.standard_normal(w.shape, np.float32) for name, w in kept.items()}
    packed = PackedWeights(goldens.config("odd_width"), dict(kept), precision)

    def rounded(path):
        return kept[path].astype(dtype).astype(np.float32)

    kernel, bias = packed.layers.intermediate.unpack(0)
    path = "transformer_layer_0/feedforward_intermediate_dense"
    np.testing.assert_array_equal(kernel.astype(np.float32), rounded(f"{path}/kernel"))
    np.testing.assert_array_equal(bias, rounded(f"{path}/bias"))
    np.testing.assert_array_equal(packed.layers.intermediate.bias[0, :29], rounded(f"{path}/bias"))
    table = precision.numbers(packed.tables["segment"])[:, :20].astype(np.float32)
    np.testing.assert_array_equal(table, rounded("segment_embedding/embeddings"))
    for name, found in (
        ("gamma", packed.embeddings_norm.gamma),
        ("beta", packed.embeddings_norm.beta),
    ):
        exact = kept[f"embeddings_layer_norm/{name}"]
        assert not np.array_equal(exact, rounded(f"embeddings_layer_norm/{name}"))
        np.testing.assert_array_equal(found[0, :20], exact)


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


@every_precision
def test_tables_and_norms_are_padded_with_zeros(precision):
    weights = weights_in("odd_width", precision.stored)
    packed = PackedWeights(goldens.config("odd_width"), weights, precision)
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
    kernel, _ = packed.layers.query_key_value.unpack(0)
    np.testing.assert_array_equal(kernel, np.concatenate(kernels, axis=1))


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
    for name, value in random_weights(shapes, 3, np.float16).items():
        assert_same(value, made[name].astype(np.float16), name)
    assert (made["n/gamma"] == 1).all()
    assert not made["a/bias"].any()
    assert not made["n/beta"].any()
    assert 0 < np.abs(made["a/kernel"]).max() <= 0.04
