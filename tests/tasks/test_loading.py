from __future__ import annotations

import zipfile

import pytest
from text.tiny_model import LIMIT
from weights.model_files import change_json

from npbert.errors import ConfigError, ModelFileError
from npbert.tasks.loading import SAVED, open_preset, reader
from npbert.tasks.readers import TextReader
from npbert.tasks.task_files import read_task
from npbert.text.preprocessors import BertMaskedLMPreprocessor, BertTextClassifierPreprocessor
from tasks.task_models import KERAS, LENGTH, classifier, tokenizer, write_classifier

OPTIONS = {"load_weights": True, "trust": True, "num_threads": 1, "dtype": None}


def read(path, preprocessor=SAVED, length=None, kind=BertTextClassifierPreprocessor):
    source, backbone = open_preset(path, **OPTIONS)
    task = None
    if source.kind == "keras":
        task = read_task(source.path, ("BertTextClassifier",), backbone.config)
    return reader(source, backbone, preprocessor, kind, task, length)


@pytest.fixture
def preset(tmp_path):
    classifier().save_to_preset(tmp_path / "preset")
    return tmp_path / "preset"


def archive(preset, path):
    """A ``.keras`` file as Keras makes it of the task."""
    with zipfile.ZipFile(path, "w") as file:
        file.write(preset / "task.json", "config.json")
        file.write(preset / "model.weights.h5", "model.weights.h5")
        vocabulary = preset / "assets" / "tokenizer" / "vocabulary.txt"
        file.write(vocabulary, "assets/preprocessor/tokenizer/vocabulary.txt")
    return path


def test_a_preset(preset):
    source, backbone = open_preset(preset, **OPTIONS)
    assert source == ("keras", preset, True, True, "float32")
    assert backbone.config == KERAS
    source, backbone = open_preset(preset, **{**OPTIONS, "dtype": "bfloat16_from_float32"})
    assert (source.dtype, backbone.dtype_policy.name) == ("bfloat16", "bfloat16_from_float32")
    found = read(preset)
    assert type(found) is BertTextClassifierPreprocessor
    assert (found.sequence_length, found.tokenizer.settings.lowercase) == (LENGTH, True)
    assert read(preset, length=7).sequence_length == 7


def test_the_preprocessor_of_another_task(preset):
    """Its tokenizer, and the defaults of this one."""
    found = read(preset, kind=BertMaskedLMPreprocessor)
    assert (found.sequence_length, found.tokenizer.settings.lowercase) == (512, True)


def test_a_task_without_preprocessor(preset):
    change_json(preset / "task.json", lambda j: j["config"].update(preprocessor=None))
    assert read(preset) is None


def test_a_backbone_with_and_without_tokenizer(preset):
    (preset / "task.json").unlink()
    assert read(preset).sequence_length == LENGTH
    (preset / "tokenizer.json").unlink()
    assert read(preset) is None


def test_the_caller_s(preset):
    mine = BertTextClassifierPreprocessor(tokenizer(), 8)
    assert read(preset, mine) is mine
    assert read(preset, None) is None
    with pytest.raises(ConfigError, match=r"max_seq_length goes with(.|\n)*preprocessor=None"):
        read(preset, None, 7)


def test_hugging_face_s(tmp_path):
    found = read(write_classifier(tmp_path / "m"))
    assert isinstance(found, TextReader)
    assert found.sequence_length == LIMIT
    assert read(tmp_path / "m", length=5).sequence_length == 5


def test_a_built_in():
    source, backbone = open_preset("bert_tiny_en_uncased", **{**OPTIONS, "load_weights": False})
    assert (source.kind, source.path) == ("built-in", None)
    assert reader(source, backbone, SAVED, BertTextClassifierPreprocessor, None, None) is None


def test_an_archive(preset, tmp_path):
    path = archive(preset, tmp_path / "task.keras")
    config, task = KERAS, read_task(path, ("BertTextClassifier",), KERAS)
    assert task["num_classes"] == 6
    source, backbone = open_preset(path, **{**OPTIONS, "load_weights": False})
    assert backbone.config == config
    arguments = source, backbone, SAVED, BertTextClassifierPreprocessor, task
    found = reader(*arguments, None)
    assert (found.sequence_length, found.tokenizer.settings.lowercase) == (LENGTH, True)
    assert found.tokenizer.get_vocabulary() == tokenizer().get_vocabulary()
    assert reader(*arguments, 5).sequence_length == 5
    assert reader(*arguments[:3], BertMaskedLMPreprocessor, task, None) is None
    assert reader(*arguments[:4], None, None) is None


def test_an_archive_without_vocabulary(preset, tmp_path):
    path = tmp_path / "task.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.write(preset / "task.json", "config.json")
    source, backbone = open_preset(path, **{**OPTIONS, "load_weights": False})
    task = read_task(path, ("BertTextClassifier",), KERAS)
    with pytest.raises(ModelFileError, match=r"no assets/preprocessor/tokenizer/vocabulary.txt"):
        reader(source, backbone, SAVED, BertTextClassifierPreprocessor, task, None)
