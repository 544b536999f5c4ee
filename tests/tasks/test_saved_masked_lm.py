from __future__ import annotations

import pytest
from text.tiny_model import write_tiny_model
from weights.model_files import change_json

from npbert.errors import ConfigError
from npbert.tasks.loading import Source
from npbert.tasks.saved_masked_lm import saved_masked_lm
from npbert.weights.heads import OUTPUT_TABLE
from tasks.task_models import CONFIG, backbone, classifier, masked_lm, write_masked_lm

NO_HEAD = r"no masked LM's head, and a random one would predict noise(.|\n)*cls.predictions"
ERF = {"intermediate_activation": "gelu", "layer_norm_epsilon": 1e-12}


def source(path, kind="keras", load_weights=True):
    return Source(kind, path, load_weights, True)


def test_keras_s(tmp_path):
    masked_lm(name="mine").save_to_preset(tmp_path)
    found = saved_masked_lm(source(tmp_path), backbone())
    assert found.settings == {"name": "mine"}
    assert len(found.weights) == 5
    assert found.task["name"] == "mine"
    assert saved_masked_lm(source(tmp_path, load_weights=False), backbone()).weights is None


def test_keras_s_without_head(tmp_path):
    classifier().save_to_preset(tmp_path)
    with pytest.raises(ConfigError, match=NO_HEAD):
        saved_masked_lm(source(tmp_path), backbone())


def test_nothing_is_asked_of_a_built_in_without_files():
    found = saved_masked_lm(source(None, "built-in", load_weights=False), backbone())
    assert found == ({}, None, None)


def test_hugging_face_s(tmp_path):
    write_masked_lm(tmp_path / "m")
    found = saved_masked_lm(source(tmp_path / "m", "hugging_face"), backbone(CONFIG))
    assert found.settings == ERF
    assert len(found.weights) == 5
    found = saved_masked_lm(source(tmp_path / "m", "hugging_face", False), backbone(CONFIG))
    assert found == (ERF, None, None)


def test_hugging_face_s_with_a_table_of_its_own(tmp_path):
    table = backbone(CONFIG, seed=9).token_embedding.embeddings
    write_masked_lm(tmp_path / "m", weight=table)
    change_json(tmp_path / "m" / "config.json", lambda j: j.update(tie_word_embeddings=False))
    found = saved_masked_lm(source(tmp_path / "m", "hugging_face"), backbone(CONFIG))
    assert found.weights[OUTPUT_TABLE].tolist() == table.tolist()


def test_hugging_face_s_without_head(tmp_path):
    write_tiny_model(tmp_path / "m")
    with pytest.raises(ConfigError, match=NO_HEAD):
        saved_masked_lm(source(tmp_path / "m", "hugging_face"), backbone(CONFIG))
