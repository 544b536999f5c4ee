from __future__ import annotations

import dataclasses
import pickle

import numpy as np
import pytest
import tolerances
from goldens import assert_same_bits as assert_same_arrays
from simd.exact import assert_same_bits
from text.tiny_model import VOCABULARY
from tolerances import assert_within
from weights.model_files import change_json

from npbert.errors import ConfigError, InputError, InputTypeError
from npbert.ops.heads import masked_lm_head
from npbert.tasks.masked_lm import BertMaskedLM
from npbert.text.preprocessors import BertMaskedLMPreprocessor
from tasks.task_models import (
    CONFIG,
    KERAS,
    backbone,
    classifier,
    inputs,
    masked_lm,
    tokenizer,
    write_masked_lm,
)

pytestmark = pytest.mark.kernel
V = len(VOCABULARY)
PLACES = 5
MASKED = ["the [MASK] runs", "an old [MASK] and [MASK]", "[MASK]"]


def batch(rows=3, tokens=7):
    return inputs(rows, tokens, places=PLACES)


# -- token ids -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [{}, {"intermediate_activation": "gelu_approximate", "layer_norm_epsilon": 1e-12}],
)
def test_a_call_is_the_head_on_the_places_asked_for(settings):
    task, x = masked_lm(**settings), batch()
    out = task(x)
    assert (out.shape, out.dtype) == ((3, PLACES, V), np.float32)
    places = x.pop("mask_positions")[:, :, None]
    hidden = np.take_along_axis(task.backbone(x)["sequence_output"], places, axis=1)
    w = {k.removeprefix("mlm_head/"): np.float64(v) for k, v in task._weights.items()}
    exact = masked_lm_head(
        np.float64(hidden),
        w["intermediate_dense/kernel"],
        w["intermediate_dense/bias"],
        w["intermediate_layer_norm/gamma"],
        w["intermediate_layer_norm/beta"],
        np.float64(task.backbone.token_embedding.embeddings),
        w["output_bias"],
        activation=task.intermediate_activation,
        epsilon=task.layer_norm_epsilon,
    )
    assert_within(out, exact, tolerances.STAGES_FLOAT64 * np.abs(exact).max())


def test_places_that_are_padding():
    """They are computed, as in Keras Hub; and where none is asked for, padding is passed over."""
    task, x = masked_lm(), batch()
    x["padding_mask"][:] = [1, 1, 1, 1, 0, 0, 0]
    x["mask_positions"][:] = [0, 1, 3, 2, 5]
    both = task(x)
    assert np.isfinite(both).all()
    x["mask_positions"] = x["mask_positions"][:, :4]
    assert_same_bits(task(x), both[:, :4])


def test_batches_of_none():
    task = masked_lm()
    assert task(batch(rows=0)).shape == (0, PLACES, V)
    assert task.predict(batch(rows=0)).shape == (0, PLACES, V)
    assert task({**batch(), "mask_positions": np.zeros((3, 0), int)}).shape == (3, 0, V)


@pytest.mark.parametrize("batch_size", [1, 2, 7])
def test_predict_of_ids_is_a_call(batch_size):
    task, x = masked_lm(), batch(rows=5)
    assert_same_bits(task.predict(x, batch_size), task(x))


def test_predict_of_texts_hides_tokens():
    task = masked_lm()
    task.preprocessor = BertMaskedLMPreprocessor(tokenizer(), 9, mask_selection_length=4, seed=5)
    out = task.predict(["the river runs past", "an old mill"])
    assert out.shape == (2, 4, V)
    task.preprocessor = BertMaskedLMPreprocessor(tokenizer(), 9, mask_selection_length=4, seed=5)
    assert_same_bits(task(task.preprocessor(["the river runs past", "an old mill"])[0]), out)
    assert task.predict("the river").shape == (4, V)


def test_bad_ids():
    task = masked_lm()
    for call in (task, task.predict):
        with pytest.raises(InputError, match=r"mask_positions(.|\n)*0 <= id < 7"):
            call({**batch(), "mask_positions": [[7]] * 3})
        with pytest.raises(InputTypeError, match="token_ids cannot be read as an array"):
            call({**batch(), "token_ids": [[1, 2], [3]]})
        with pytest.raises(InputError, match=r"two axes(.|\n)*wrap it in a list"):
            call({name: each[0] for name, each in batch().items()})


# -- masks in texts --------------------------------------------------------------------------------


def test_filled_masks_are_the_probabilities_of_a_call():
    task = masked_lm()
    reader = tokenizer(special_tokens_in_strings=True)
    for text in MASKED:
        ids = reader.encode([text], 9).ids[0][None]
        places = np.flatnonzero(ids[0] == reader.mask_token_id)[None]
        logits = np.float64(
            task(
                {
                    "token_ids": ids,
                    "segment_ids": np.zeros_like(ids),
                    "padding_mask": np.ones_like(ids),
                    "mask_positions": places,
                }
            )
        )[0]
        exact = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        found = task.fill_mask(text, top_k=4)
        rows = [found] if places.size == 1 else found
        for row, probabilities in zip(rows, exact, strict=True):
            assert [each["token"] for each in row] == np.argsort(-probabilities)[:4].tolist()
            for each in row:
                assert each["score"] == pytest.approx(probabilities[each["token"]], rel=1e-5)
                assert each["token_str"] == VOCABULARY[each["token"]]


def test_a_text_s_masks_do_not_know_the_others():
    task = masked_lm()
    together = task.fill_mask(MASKED, top_k=3, batch_size=2)
    assert together == [task.fill_mask(text, top_k=3) for text in MASKED]
    assert task.fill_mask([]) == []
    assert [list(each) for each in together[0]] == [["score", "token", "token_str", "sequence"]] * 3


def test_masks_that_are_not_there():
    task = masked_lm()
    with pytest.raises(InputError, match=r"has no \[MASK\](.|\n)*inputs\[1\]"):
        task.fill_mask(["[MASK]", "the mill"])
    with (
        pytest.warns(UserWarning, match="cut 1 of 1"),
        pytest.raises(InputError, match="in the part of it that is read"),
    ):
        task.fill_mask("the river " * 9 + "[MASK]")
    with pytest.raises(InputTypeError, match=r"inputs\[0\]"):
        task.fill_mask([5])
    with pytest.raises(ConfigError, match="top_k is more than the vocabulary"):
        task.fill_mask("[MASK]", top_k=V + 1)


def test_rows_that_no_token_has_fill_nothing():
    large = backbone(dataclasses.replace(KERAS, vocabulary_size=V + 90))
    task = BertMaskedLM(large, BertMaskedLMPreprocessor(tokenizer(), 9), seed=6)
    found = task.fill_mask("the [MASK] runs", top_k=V)
    assert sorted(each["token"] for each in found) == [*range(V)]
    assert sum(each["score"] for each in found) < 0.9  # the rest is that of the other rows


# -- making one ------------------------------------------------------------------------------------


def test_the_table_is_the_backbone_s(tmp_path):
    """Also after the backbone was given other weights."""
    task, x = masked_lm(), batch()
    before = task(x)
    backbone(seed=7).save_weights(tmp_path / "other.weights.h5")
    task.backbone.load_weights(tmp_path / "other.weights.h5")
    other = BertMaskedLM(backbone(seed=7))
    other.set_head_weights(task._weights)
    assert_same_bits(task(x), other(x))
    assert not np.array_equal(before, task(x))


def test_weights():
    names = [name for name, _ in masked_lm().weights()][-5:]
    assert names == [
        "mlm_head/output_bias",
        "mlm_head/intermediate_dense/kernel",
        "mlm_head/intermediate_dense/bias",
        "mlm_head/intermediate_layer_norm/gamma",
        "mlm_head/intermediate_layer_norm/beta",
    ]
    assert masked_lm().count_params() == backbone().count_params() + 32 + 20 * 20 + 3 * 20


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"intermediate_activation": "relu"}, "unknown intermediate_activation 'relu'"),
        ({"layer_norm_epsilon": 0}, r"layer_norm_epsilon must be a number in \[1e-38, 1\]"),
        ({"layer_norm_epsilon": None}, "layer_norm_epsilon must be a number"),
        ({"num_classes": 2}, "unknown argument 'num_classes'"),
        ({"preprocessor": classifier().preprocessor}, "None or a BertMaskedLMPreprocessor"),
    ],
)
def test_arguments(arguments, words):
    with pytest.raises(ValueError, match=words):
        BertMaskedLM(backbone(), **arguments)


def test_no_preprocessor():
    task = BertMaskedLM(backbone())
    for call in (task.fill_mask, task.predict):
        with pytest.raises(ConfigError, match=r"no preprocessor(.|\n)*BertMaskedLM.from_preset"):
            call("[MASK]")


def test_a_copy_computes_the_same():
    task = masked_lm()
    assert_same_bits(pickle.loads(pickle.dumps(task))(batch()), task(batch()))


# -- files -----------------------------------------------------------------------------------------


def test_saved_and_loaded(tmp_path):
    task = masked_lm(name="mine")
    task.save_to_preset(tmp_path)
    again = BertMaskedLM.from_preset(tmp_path, num_threads=1)
    assert again.get_config() == task.get_config()
    assert list(task.get_config()) == ["backbone", "preprocessor", "name"]
    assert_same_arrays(dict(again.weights()), dict(task.weights()))
    assert again.fill_mask(MASKED) == task.fill_mask(MASKED)
    assert BertMaskedLM.from_preset(tmp_path, max_seq_length=6).preprocessor.sequence_length == 6


def test_a_preset_without_a_head(tmp_path):
    backbone().save_to_preset(tmp_path)
    with pytest.raises(ConfigError, match="no masked LM's head, and a random one would predict"):
        BertMaskedLM.from_preset(tmp_path)


def test_a_head_that_keras_cannot_have(tmp_path):
    task = masked_lm(layer_norm_epsilon=1e-12)
    assert task.get_config()["layer_norm_epsilon"] == 1e-12
    with pytest.raises(ConfigError, match="cannot hold a head with layer_norm_epsilon 1e-12"):
        task.save_to_preset(tmp_path)
    with pytest.warns(UserWarning, match="does not say layer_norm_epsilon 1e-12"):
        task.save_to_preset(tmp_path, allow_lossy=True)
    assert BertMaskedLM.from_preset(tmp_path).layer_norm_epsilon == 1e-5


def test_hugging_face_s(tmp_path):
    task = BertMaskedLM.from_preset(write_masked_lm(tmp_path / "m"), num_threads=1)
    assert (task.intermediate_activation, task.layer_norm_epsilon) == ("gelu", 1e-12)
    assert task.backbone.config == CONFIG
    (best, *_) = task.fill_mask("the [MASK] runs")
    assert best["sequence"].startswith("the ")
    with pytest.raises(ConfigError, match=r"hides no tokens(.|\n)*use fill_mask"):
        task.predict(["the river"])


def test_hugging_face_s_with_a_table_of_its_own(tmp_path):
    tied = BertMaskedLM.from_preset(write_masked_lm(tmp_path / "tied"), num_threads=1)
    table = backbone(CONFIG, seed=9).token_embedding.embeddings
    directory = write_masked_lm(tmp_path / "own", weight=table)
    change_json(directory / "config.json", lambda j: j.update(tie_word_embeddings=False))
    own, x = BertMaskedLM.from_preset(directory, num_threads=1), batch()
    assert not np.array_equal(own(x), tied(x))
    # Its logits are the other table's: those of a head whose backbone has it, on the same vectors.
    places = x.pop("mask_positions")[:, :, None]
    hidden = np.take_along_axis(own.backbone(x)["sequence_output"], places, axis=1).reshape(15, 20)
    expected = own._head(hidden, backbone(CONFIG, seed=9).token_embedding)
    assert_same_bits(own({**x, "mask_positions": places[:, :, 0]}).reshape(15, V), expected)
    with pytest.raises(ConfigError, match="no place for a table of the head's own"):
        own.save_to_preset(tmp_path / "out", allow_lossy=True)
