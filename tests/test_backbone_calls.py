"""``predict`` and ``token_embedding``: the other ways to call a `BertBackbone`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import goldens
import numpy as np
import pytest
import tolerances

from npbert.errors import ConfigError, InputError, InputTypeError


@pytest.mark.kernel
@pytest.mark.parametrize("case", ["one_head", "wide_dropout_zero"])
def test_token_embedding_looks_up(case):
    layer = goldens.backbone(case).token_embedding
    table = goldens.weights(case)["token_embedding/embeddings"]
    ids = np.random.default_rng(3).integers(len(table), size=(2, 3, 5))
    vectors = layer(ids)
    np.testing.assert_array_equal(vectors, table[ids])
    np.testing.assert_array_equal(layer.embeddings, table)
    np.testing.assert_array_equal(layer([1, 0]), layer.embeddings[[1, 0]])
    assert layer(np.zeros((0, 4), int)).shape == (0, 4, vectors.shape[-1])


@pytest.mark.kernel
@pytest.mark.parametrize("case", ["one_head", "wide_dropout_zero"])
def test_token_embedding_in_reverse(case):
    layer = goldens.backbone(case).token_embedding
    table = goldens.weights(case, np.float64)["token_embedding/embeddings"]  # (V, D)
    vectors = np.random.default_rng(4).standard_normal((2, 3, table.shape[1]), np.float32)
    logits = layer(vectors, reverse=True)
    assert (logits.shape, logits.dtype) == ((2, 3, len(table)), np.float32)
    allowed = tolerances.STAGES_FLOAT64 * (np.abs(vectors) @ np.abs(table.T))
    assert (np.abs(logits - vectors @ table.T) <= allowed).all()
    assert layer(vectors[0, 0], reverse=True).shape == (len(table),)
    assert layer(vectors[:0], reverse=True).shape == (0, 3, len(table))


@pytest.mark.kernel
def test_token_embedding_in_reverse_works_in_chunks(monkeypatch):
    monkeypatch.setattr("npbert.ops.token_embedding._CHUNK", 7)
    test_token_embedding_in_reverse("one_head")


@pytest.mark.parametrize(
    ("ids", "error", "words"),
    [
        ([1.0], InputTypeError, "token_embedding takes integer ids"),
        (["a"], InputTypeError, "token_embedding takes integer ids"),
        ([[23]], InputError, "token_embedding got an id out of range.\n.*ids from 23 to 23"),
        ([-1, 2], InputError, "token_embedding got an id out of range"),
    ],
)
def test_token_embedding_refuses_ids(ids, error, words):
    with pytest.raises(error, match=words):
        goldens.backbone("one_head").token_embedding(ids)


@pytest.mark.parametrize(
    "vectors", [np.zeros((2, 36), np.float32), np.zeros((2, 37), int), np.float32(1), [["a"] * 37]]
)
def test_token_embedding_in_reverse_refuses_vectors(vectors):
    with pytest.raises(InputError, match="in reverse takes vectors as wide as the table") as error:
        goldens.backbone("one_head").token_embedding(vectors, reverse=True)
    assert error.value.expected == "floats (..., 37)"


# -- predict ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch_size", [0, -1, 2.0, "32", True, None])
def test_predict_refuses_a_batch_size(batch_size):
    with pytest.raises(ConfigError, match="batch_size must be a positive int"):
        goldens.backbone("odd_width").predict(goldens.inputs("odd_width"), batch_size)


@pytest.mark.kernel
@pytest.mark.parametrize(("wanted", "shown"), [(True, True), (False, False), (None, False)])
def test_predict_shows_progress_where_it_is_wanted(wanted, shown, capsys):
    model = goldens.backbone("odd_width")
    model.prepare()
    capsys.readouterr()
    model.predict(goldens.inputs("odd_width"), 2, show_progress_bar=wanted)
    captured = capsys.readouterr()
    assert ("npbert" in captured.err) == shown
    assert captured.out == ""


@pytest.mark.kernel
def test_predict_checks_everything_before_it_computes(monkeypatch):
    model = goldens.backbone("odd_width")
    monkeypatch.setattr(model._engine, "fill", lambda *_, **__: pytest.fail("computed"))
    batch = {name: array.copy() for name, array in goldens.inputs("odd_width").items()}
    batch["token_ids"][-1, -1] = 31
    with pytest.raises(InputError, match="token_ids has an id out of range"):
        model.predict(batch, batch_size=1)


# -- copies ----------------------------------------------------------------------------------------

_COPIES = """
import copy, pickle, sys
sys.path.insert(0, "tests")
import goldens
for dtype in goldens.POLICIES:
    model, batch = goldens.backbone("deep", 2, dtype), goldens.inputs("deep")
    expected, weights = model(batch), dict(model.weights())
    for again in (copy.deepcopy(model), copy.copy(model), pickle.loads(pickle.dumps(model))):
        assert again.get_config() == model.get_config()
        assert again.dtype_policy == model.dtype_policy
        assert again.num_threads == 2
        goldens.assert_same_bits(dict(again.weights()), weights)
        for _ in range(3):
            goldens.assert_same_bits(again(batch), expected)
    print(dtype)
"""


@pytest.mark.kernel
def test_a_copied_or_pickled_model_gives_the_same_bits():
    """Kernels need aligned memory, and a plain copy of an array is not: a process of its own."""
    command, root = [sys.executable, "-c", _COPIES], Path(__file__).parents[1]
    done = subprocess.run(command, capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stdout.split()) == (0, [*goldens.POLICIES]), done.stderr
