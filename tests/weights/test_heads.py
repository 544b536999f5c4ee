from __future__ import annotations

from types import SimpleNamespace

import h5py
import numpy as np
import pytest

from npbert.dtype_policy import numpy_dtype
from npbert.errors import ModelFileError, UnsupportedModelError, WeightError
from npbert.weights import untrusted
from npbert.weights.dtypes import ITEM_BYTES
from npbert.weights.heads import (
    OUTPUT_TABLE,
    classifier_tensors,
    has_hugging_face,
    load_hugging_face,
    load_hugging_face_masked_lm,
    load_keras,
    masked_lm_tensors,
)
from weights.model_files import CONFIG, assert_same, random_arrays, write_h5, write_safetensors

CLASSES = 4
CLASSIFIER, MASKED_LM = classifier_tensors(CONFIG, CLASSES), masked_lm_tensors(CONFIG)
BOTH = pytest.mark.parametrize("table", [CLASSIFIER, MASKED_LM], ids=["classifier", "masked_lm"])
DECODER = "cls.predictions.decoder"


def arrays(table, seed=1):
    random = np.random.default_rng(seed)
    return {t.name: random.standard_normal(t.shape).astype(np.float32) for t in table}


def write_task(path, table, values, more=None):
    """A ``task.weights.h5`` as Keras Hub writes it, with what it has beside the head."""
    with h5py.File(path, "w") as file:
        for tensor in table:
            file[tensor.h5] = values[tensor.name]
        file["/optimizer/vars/0"] = np.int64(0)
        for key, value in (more or {}).items():
            file[key] = value
    return path


def in_hugging_face(table, values):
    return {
        t.hugging_face: np.ascontiguousarray(values[t.name].T if t.is_kernel else values[t.name])
        for t in table
    }


def masked_lm(path, decoder=None, *, tied=True):
    """What is loaded of a masked LM with these tensors of a decoder; and its table."""
    table = random_arrays()["token_embedding/embeddings"]
    named = in_hugging_face(MASKED_LM, arrays(MASKED_LM))
    named |= {f"{DECODER}.{name}": value for name, value in (decoder or {}).items()}
    write_safetensors(path, {k: v for k, v in named.items() if v is not None})
    shared = SimpleNamespace(embeddings=table)
    return load_hugging_face_masked_lm(path, MASKED_LM, shared, tied=tied)


def test_the_names_are_keras_s():
    assert [tensor.name for tensor in CLASSIFIER] == ["logits/kernel", "logits/bias"]
    assert {t.name: t.shape for t in MASKED_LM} == {
        "mlm_head/output_bias": (11,),
        "mlm_head/intermediate_dense/kernel": (12, 12),
        "mlm_head/intermediate_dense/bias": (12,),
        "mlm_head/intermediate_layer_norm/gamma": (12,),
        "mlm_head/intermediate_layer_norm/beta": (12,),
    }
    assert CLASSIFIER[0].shape == (12, 4)
    assert CLASSIFIER[0].hugging_face_shape == (4, 12)


@BOTH
def test_keras_s_file(tmp_path, table):
    values = arrays(table)
    path = write_task(tmp_path / "task.weights.h5", table, values)
    assert_same(load_keras(path, table, CONFIG), values)


@BOTH
@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_in_another_width(tmp_path, table, dtype):
    values = arrays(table)
    path = write_task(tmp_path / "task.weights.h5", table, values)
    assert_same(load_keras(path, table, CONFIG, dtype), values, dtype)
    assert_same(untrusted.read_head(path, table, CONFIG, dtype), values, dtype)
    path = write_safetensors(tmp_path / "model.safetensors", in_hugging_face(table, values))
    assert_same(load_hugging_face(path, table, dtype), values, dtype)


@pytest.mark.parametrize("dtype", ITEM_BYTES)
def test_tables_are_compared_as_they_are_rounded(tmp_path, dtype):
    """The backbone's may be rounded, and float32 again."""
    rng = np.random.default_rng(6)
    table = rng.standard_normal((11, 12)).astype(np.float32)
    named = in_hugging_face(MASKED_LM, arrays(MASKED_LM)) | {f"{DECODER}.weight": table}
    path = write_safetensors(tmp_path / "model.safetensors", named)
    shared = table.astype(numpy_dtype(dtype))
    for embeddings in (shared, shared.astype(np.float32)):
        backbone = SimpleNamespace(embeddings=embeddings)
        for tied in (True, False):
            head = load_hugging_face_masked_lm(path, MASKED_LM, backbone, tied=tied, dtype=dtype)
            assert_same(head, arrays(MASKED_LM), dtype)


@BOTH
def test_a_file_of_backbone_and_head(tmp_path, table):
    """What ``save_weights`` of a task writes."""
    values = arrays(table)
    more = {"/layers/bert_backbone/layers/dense/vars/0": np.ones((12, 12))}
    path = write_task(tmp_path / "whole.weights.h5", table, values, more)
    assert_same(load_keras(path, table, CONFIG), values)


@pytest.mark.parametrize(
    ("spoil", "error", "words"),
    [
        (lambda values: values.update({"logits/bias": np.ones(5)}), WeightError, "wrong shape"),
        (
            lambda values: values["logits/kernel"].__setitem__((2, 1), np.nan),
            WeightError,
            "1 value not finite",
        ),
        (
            lambda values: values.update({"logits/bias": np.ones(4, np.int8)}),
            UnsupportedModelError,
            "int8",
        ),
    ],
)
def test_a_keras_head_is_checked(tmp_path, spoil, error, words):
    values = arrays(CLASSIFIER)
    spoil(values)
    path = write_task(tmp_path / "task.weights.h5", CLASSIFIER, values)
    with pytest.raises(error, match=words):
        load_keras(path, CLASSIFIER, CONFIG)


def test_a_keras_head_of_another_task(tmp_path):
    path = write_task(tmp_path / "task.weights.h5", CLASSIFIER, arrays(CLASSIFIER))
    with pytest.raises(WeightError, match="5 tensors are missing"):
        load_keras(path, MASKED_LM, CONFIG)
    path = write_h5(tmp_path / "model.weights.h5", random_arrays())
    with pytest.raises(WeightError, match="tensors are missing"):
        load_keras(path, MASKED_LM, CONFIG)


def test_no_hdf5(tmp_path):
    path = tmp_path / "task.weights.h5"
    path.write_text("nothing")
    with pytest.raises(ModelFileError, match="not an HDF5 file"):
        load_keras(path, CLASSIFIER, CONFIG)


def test_hugging_face_s_classifier(tmp_path):
    values = arrays(CLASSIFIER)
    named = in_hugging_face(CLASSIFIER, values) | {"bert.pooler.dense.bias": np.ones(12)}
    path = write_safetensors(tmp_path / "model.safetensors", named)
    assert has_hugging_face(path, CLASSIFIER)
    assert not has_hugging_face(path, MASKED_LM)
    assert_same(load_hugging_face(path, CLASSIFIER), values)


def test_a_classifier_with_more_than_a_dense_layer(tmp_path):
    named = in_hugging_face(CLASSIFIER, arrays(CLASSIFIER))
    named["classifier.dense.weight"] = np.ones((3, 3), np.float32)
    path = write_safetensors(tmp_path / "model.safetensors", named)
    with pytest.raises(WeightError, match="1 tensor is in the file without a place"):
        load_hugging_face(path, CLASSIFIER)


def test_hugging_face_s_masked_lm(tmp_path):
    assert_same(masked_lm(tmp_path / "model.safetensors"), arrays(MASKED_LM))


def test_old_names_and_the_next_sentence_s_head(tmp_path):
    """As checkpoints of 2018 have it."""
    named = in_hugging_face(MASKED_LM, arrays(MASKED_LM))
    renamed = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace(
            "LayerNorm.bias", "LayerNorm.beta"
        ): value
        for name, value in named.items()
    }
    assert renamed.keys() != named.keys()
    renamed["cls.seq_relationship.weight"] = np.ones((2, 12), np.float32)
    path = write_safetensors(tmp_path / "model.safetensors", renamed)
    table = SimpleNamespace(embeddings=None)
    loaded = load_hugging_face_masked_lm(path, MASKED_LM, table, tied=True)
    assert_same(loaded, arrays(MASKED_LM))


def test_the_same_tensors_twice(tmp_path):
    """As torch's own files have it: the decoder's are the others once more."""
    table = random_arrays()["token_embedding/embeddings"]
    bias = arrays(MASKED_LM)["mlm_head/output_bias"]
    for tied in (True, False):
        loaded = masked_lm(tmp_path / "a", {"weight": table, "bias": bias}, tied=tied)
        assert_same(loaded, arrays(MASKED_LM))


def test_the_bias_under_its_other_name(tmp_path):
    named = in_hugging_face(MASKED_LM, arrays(MASKED_LM))
    named[f"{DECODER}.bias"] = named.pop("cls.predictions.bias")
    path = write_safetensors(tmp_path / "model.safetensors", named)
    table = SimpleNamespace(embeddings=None)
    loaded = load_hugging_face_masked_lm(path, MASKED_LM, table, tied=True)
    assert_same(loaded, arrays(MASKED_LM))


def test_a_table_of_its_own(tmp_path):
    table = random_arrays(seed=8)["token_embedding/embeddings"]
    loaded = masked_lm(tmp_path / "a", {"weight": table}, tied=False)
    assert_same(loaded, arrays(MASKED_LM) | {OUTPUT_TABLE: table})
    bias = np.arange(11, dtype=np.float32)
    loaded = masked_lm(tmp_path / "a", {"weight": table, "bias": bias}, tied=False)
    own = {OUTPUT_TABLE: table, "mlm_head/output_bias": bias}
    assert_same(loaded, arrays(MASKED_LM) | own)


def test_what_releases_of_transformers_read_differently(tmp_path):
    other = random_arrays(seed=8)["token_embedding/embeddings"]
    with pytest.raises(
        WeightError,
        match=r"decoder.weight' has other numbers than the token embedding(.|\n)*"
        r'"tie_word_embeddings": false',
    ):
        masked_lm(tmp_path / "a", {"weight": other})
    with pytest.raises(WeightError, match=r"decoder.bias' has other numbers than cls.predictions"):
        masked_lm(tmp_path / "a", {"bias": np.ones(11, np.float32)})


def test_a_table_that_is_missing_or_of_another_shape(tmp_path):
    with pytest.raises(WeightError, match=r"output's table is missing(.|\n)*tie_word_embeddings"):
        masked_lm(tmp_path / "a", tied=False)
    with pytest.raises(WeightError, match=r"decoder.weight' has the wrong shape"):
        masked_lm(tmp_path / "a", {"weight": np.ones((12, 11), np.float32)}, tied=False)
    bad = np.full((11, 12), np.inf, np.float32)
    with pytest.raises(WeightError, match="not finite"):
        masked_lm(tmp_path / "a", {"weight": bad}, tied=False)
