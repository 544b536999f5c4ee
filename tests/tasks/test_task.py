"""What every task shares; most of it is tested through the two that there are."""

from __future__ import annotations

import numpy as np
import pytest

from npbert.engine import forward
from npbert.simd.kernel import Kernel
from npbert.tasks.masked_lm import BertMaskedLM
from npbert.tasks.readers import TextReader
from npbert.tasks.task import encode_with
from npbert.tasks.text_classifier import BertTextClassifier
from npbert.text.limits import Limit
from npbert.text.preprocessors import BertTextClassifierPreprocessor
from tasks.task_models import LENGTH, PAIRS, backbone, classifier, masked_lm, tokenizer


@pytest.mark.parametrize("truncate", ["round_robin", "waterfall"])
def test_texts_as_keras_packs_them(truncate):
    preprocessor = BertTextClassifierPreprocessor(tokenizer(), LENGTH, truncate)
    encoded = encode_with(preprocessor, [*PAIRS, "the river"], LENGTH)
    padded = preprocessor([*PAIRS, ("the river",)])
    assert encoded.cut.any()
    for i, (ids, segments) in enumerate(zip(encoded.ids, encoded.segment_ids, strict=True)):
        kept = padded["padding_mask"][i]
        assert ids.tolist() == padded["token_ids"][i][kept].tolist()
        assert segments.tolist() == padded["segment_ids"][i][kept].tolist()
        assert ids.dtype == segments.dtype == np.int32


def test_a_limit_of_the_position_table():
    preprocessor = BertTextClassifierPreprocessor(tokenizer(), 30)
    encoded = encode_with(preprocessor, ["the river " * 20], 19)
    assert encoded.lengths.tolist() == [19]
    assert encoded.full_lengths.tolist() == [42]


def test_hugging_face_s_padding_is_not_masked():
    """A [PAD] inside a text is a token there, as transformers' attention_mask has it."""
    task = classifier()
    ids = [np.array([2, 5, 0, 3], np.int32)]
    (kept,) = task._kept(ids)
    assert kept.tolist() == [True, True, False, True]
    task.preprocessor = TextReader(tokenizer(), Limit(9, "here", {}))
    assert task._kept(ids) is None


@pytest.mark.kernel
@pytest.mark.parametrize("policy", ["float32", "bfloat16"])
@pytest.mark.parametrize("task", [classifier, masked_lm])
def test_prepare_makes_every_kernel_ready(task, policy, monkeypatch):
    made, called = task(backbone=backbone(dtype=policy)), set[Kernel]()
    made.prepare()
    run = Kernel.__call__
    monkeypatch.setattr(Kernel, "__call__", lambda *args: (called.add(args[0]), run(*args))[1])
    asked: list[Kernel] = []
    monkeypatch.setattr(forward, "prepare", asked.extend)
    made.prepare()
    made.fill_mask("[MASK]") if task is masked_lm else made.classify(["the mill"])
    assert called <= {*asked}


def test_weights_are_copies():
    task = masked_lm()
    for _, array in task.weights():
        array[:] = 7
    assert not np.array_equal(dict(task.weights())["mlm_head/output_bias"], np.full(32, 7))


def test_shards_and_other_files_stay(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    classifier().save_to_preset(tmp_path, max_shard_size=1e-5)
    assert (tmp_path / "notes.txt").read_text() == "mine"
    assert (tmp_path / "model.weights.json").exists()
    assert (tmp_path / "task.weights.h5").exists()


def test_presets():
    presets = BertTextClassifier.presets
    assert "bert_tiny_en_uncased_sst2" in presets
    assert presets == BertMaskedLM.presets
