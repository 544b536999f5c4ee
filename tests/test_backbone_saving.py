"""``BertBackbone``: what it writes it reads, bit for bit, and a failing load changes nothing."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import PRESETS, bits

from npbert import BertBackbone
from npbert.dtype_policy import KERAS, numpy_dtype
from npbert.errors import ConfigError, ModelFileError, NpbertError, WeightError

# L 2, N 3, H 4, S 5, P 7, V 11, D 12, F 13
SIZES = dict(
    zip(
        ("vocabulary_size", "num_layers", "num_heads", "hidden_dim", "intermediate_dim"),
        (11, 2, 3, 12, 13),
    )
) | {"max_sequence_length": 7, "num_segments": 5}
SMALL = 2e-6
DTYPES = ("float32", "float64", "float16", "bfloat16")


@pytest.fixture
def model():
    return BertBackbone(**SIZES, seed=1, name="mine", num_threads=1)


@pytest.fixture
def other():
    return BertBackbone(**SIZES, seed=2, num_threads=1)


def assert_same(model, other, dtype="float32"):
    """Equal bits in the other's dtype, which holds the first one's numbers."""
    ours, theirs = dict(model.weights()), dict(other.weights())
    assert list(ours) == list(theirs)
    for name, tensor in ours.items():
        assert theirs[name].dtype == numpy_dtype(dtype)
        assert theirs[name].tobytes() == tensor.astype(numpy_dtype(dtype)).tobytes(), name


def narrowed(model, dtype, tmp_path):
    """A model whose weights ``dtype`` holds exactly: saved in it once, and loaded."""
    model.save_to_preset(tmp_path / f"narrow_{dtype}", dtype=dtype)
    return BertBackbone.from_preset(tmp_path / f"narrow_{dtype}", dtype="float32")


@pytest.mark.parametrize("dtype", DTYPES)
def test_presets_archives_and_weights_come_back(model, tmp_path, dtype):
    model = narrowed(model, dtype, tmp_path)
    model.save_to_preset(tmp_path / "one", dtype=dtype)
    model.save_to_preset(str(tmp_path / "several"), max_shard_size=SMALL, dtype=dtype)
    model.save(tmp_path / "model.keras", dtype=dtype)
    model.export_to_transformers(tmp_path / "hf", dtype=dtype)
    for name in ("one", "several", "model.keras", "hf"):
        own = "float32" if name == "hf" else dtype  # Keras's files say what the model computes in
        loaded = BertBackbone.from_preset(tmp_path / name)
        assert loaded.config == model.config, name
        assert loaded.dtype_policy.name == own
        assert_same(model, loaded, own)
        assert_same(model, BertBackbone.from_preset(tmp_path / name, dtype="float32"))
    model.save_weights(tmp_path / "a.weights.h5", dtype=dtype)
    model.save_weights(tmp_path / "b.weights.json", max_shard_size=SMALL, dtype=dtype)
    for name in ("a.weights.h5", "b.weights.json", "model.keras", "one/model.weights.h5"):
        for own in {"float32", dtype}:
            fresh = BertBackbone(**SIZES, seed=3, num_threads=1, dtype=own)
            fresh.load_weights(tmp_path / name)
            assert_same(model, fresh, own)


@pytest.mark.parametrize("dtype", [*KERAS, "bfloat16_from_float32"])
def test_a_model_is_saved_in_its_own_policy(tmp_path, dtype):
    model = BertBackbone(**SIZES, seed=2, num_threads=1, dtype=dtype)
    model.save_to_preset(tmp_path / "one")
    model.save(tmp_path / "model.keras")
    model.save_weights(tmp_path / "a.weights.h5")
    model.export_to_transformers(tmp_path / "hf")
    for name in ("one", "model.keras", "hf"):
        said = None if dtype in KERAS and name != "hf" else dtype
        loaded = BertBackbone.from_preset(tmp_path / name, dtype=said)
        assert loaded.dtype_policy.name == dtype
        assert_same(model, loaded, model.variable_dtype)
    loaded = BertBackbone.from_preset(tmp_path / "one", dtype=dtype)
    loaded.save_weights(tmp_path / "b.weights.h5")
    whole = (tmp_path / "a.weights.h5").read_bytes()
    assert (tmp_path / "b.weights.h5").read_bytes() == whole
    assert (tmp_path / "one" / "model.weights.h5").read_bytes() == whole


def test_the_name_is_kept_in_the_file(model, tmp_path):
    model.save_to_preset(tmp_path)
    assert '"name": "mine"' in (tmp_path / "config.json").read_text()


@pytest.mark.kernel
def test_loaded_weights_are_what_runs(model, other, tmp_path):
    inputs = {
        "token_ids": [[1, 5, 9], [2, 3, 4]],
        "segment_ids": np.zeros((2, 3), int),
        "padding_mask": [[1, 1, 1], [1, 1, 0]],
    }
    expected, before = model(inputs), other(inputs)
    model.save_weights(tmp_path / "a.weights.h5")
    other.load_weights(tmp_path / "a.weights.h5")
    after = other(inputs)
    for name, output in expected.items():
        np.testing.assert_array_equal(bits(after[name]), bits(output))
        assert not np.array_equal(before[name], output)


# -- what does not fit -----------------------------------------------------------------------------


def test_a_failing_load_changes_nothing(model, tmp_path):
    before = dict(model.weights())
    sizes = SIZES | {"num_layers": 3}
    BertBackbone(**sizes, seed=2).save_weights(tmp_path / "more.weights.h5")
    (tmp_path / "damaged.weights.h5").write_bytes(
        (tmp_path / "more.weights.h5").read_bytes()[:9000]
    )
    for name in ("more.weights.h5", "damaged.weights.h5", "absent.weights.h5", "absent.keras"):
        with pytest.raises(NpbertError):
            model.load_weights(tmp_path / name)
    for name, tensor in model.weights():
        np.testing.assert_array_equal(bits(tensor), bits(before[name]))


def test_an_unknown_ending(model, tmp_path):
    with pytest.raises(ModelFileError, match=r"file format not supported: a\.bin"):
        model.load_weights(tmp_path / "a.bin")


def test_skip_mismatch_keeps_what_does_not_fit_and_says_so(model, other, tmp_path):
    wider = BertBackbone(**SIZES | {"vocabulary_size": 17}, seed=5)
    wider.save_weights(tmp_path / "a.weights.h5")
    with pytest.raises(WeightError, match="'token_embedding/embeddings' has the wrong shape"):
        model.load_weights(tmp_path / "a.weights.h5")
    with pytest.warns(UserWarning, match="its shape there is") as caught:
        model.load_weights(tmp_path / "a.weights.h5", skip_mismatch=True)
    assert len(caught) == 1
    assert str(caught[0].message).startswith("token_embedding/embeddings is not loaded from")
    same = BertBackbone(**SIZES, seed=1)
    theirs = dict(wider.weights())
    own = "token_embedding/embeddings"
    for name, tensor in model.weights():
        expected = dict(same.weights())[own] if name == own else theirs[name]
        np.testing.assert_array_equal(bits(tensor), bits(expected), name)


def test_a_model_without_a_pooler(tmp_path):
    model = BertBackbone.from_preset(PRESETS / "hf_tiny_prefixed")
    names = [name for name, _ in model.weights()]
    with pytest.raises(ConfigError, match="has no pooler"):
        model.save_weights(tmp_path / "a.weights.h5")
    with_one = BertBackbone(**{**model.config.to_dict(), "seed": 4})
    with_one.save_weights(tmp_path / "a.weights.h5")
    model.load_weights(tmp_path / "a.weights.h5")
    assert_same(model, with_one)
    assert [name for name, _ in model.weights()] == [
        *names,
        "pooled_dense/kernel",
        "pooled_dense/bias",
    ]


def test_a_model_that_keras_would_compute_otherwise(tmp_path):
    model = BertBackbone(**SIZES, activation="gelu", seed=1)
    for save, name in ((model.save_to_preset, "a"), (model.save, "a.keras")):
        with pytest.raises(ConfigError, match=r"Keras's format cannot hold activation 'gelu'\."):
            save(tmp_path / name)
        with pytest.warns(UserWarning, match="computes other numbers") as caught:
            save(tmp_path / name, allow_lossy=True)
        assert caught[0].filename == __file__
        loaded = BertBackbone.from_preset(tmp_path / name)
        assert loaded.activation == "gelu_approximate"
        assert_same(loaded, model)
    model.save_weights(tmp_path / "a.weights.h5")  # which say nothing of it
    model.export_to_transformers(tmp_path / "hf")
    assert BertBackbone.from_preset(tmp_path / "hf").config == model.config
