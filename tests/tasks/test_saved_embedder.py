"""What a model's files say of an embedder, those of Keras Hub and of sentence-transformers."""

from __future__ import annotations

from pathlib import Path

import pytest
from text.tiny_model import (
    LIMIT,
    WORDS,
    write_dense,
    write_json,
    write_modules,
    write_tiny_model,
)
from weights.model_files import change_json

from npbert import BertBackbone, Embedder
from npbert.errors import ConfigError, ModelFileError, UnsupportedModelError
from npbert.tasks.readers import TextReader
from npbert.tasks.saved_embedder import read_text_side
from npbert.tasks.text_embedder import BertTextEmbedder
from npbert.text.bert_tokenizer import BertTokenizer
from npbert.text.preprocessors import BertTextEmbedderPreprocessor

from .tiny_keras import FIELDS, keras_preset

pytestmark = pytest.mark.kernel

TEXTS = ["the river runs", "", "our house near the old bridge"]
LONG = " ".join(WORDS)

# -- for `Embedder` --------------------------------------------------------------------------------


def test_a_backbone_without_a_tokenizer(tmp_path: Path) -> None:
    backbone = BertBackbone(**FIELDS)
    with pytest.raises(ModelFileError, match="no tokenizer beside the model"):
        read_text_side(backbone, None)
    backbone.save(tmp_path / "tiny.keras")
    with pytest.raises(ModelFileError, match=r"no tokenizer beside the model[\s\S]*tiny\.keras"):
        Embedder(tmp_path / "tiny.keras")


def test_a_directory_without_modules_warns_once(tmp_path: Path) -> None:
    write_tiny_model(tmp_path, pooling="cls")
    (tmp_path / "modules.json").unlink()
    with pytest.warns(UserWarning, match=r"no modules\.json.*the mean.*not normalised") as caught:
        embedder = Embedder(tmp_path)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    assert (embedder.pooling, embedder.normalize) == ("mean", False)


def test_pooling_of_another_width(tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    config = {"pooling_mode": "mean", "word_embedding_dimension": 24}
    write_json(tmp_path / "1_Pooling" / "config.json", config)
    with pytest.raises(ModelFileError, match=r"vectors of another width[\s\S]*24[\s\S]*20"):
        Embedder(tmp_path)


def test_the_preset_of_a_keras_embedder(tmp_path: Path) -> None:
    embedder = Embedder(keras_preset(tmp_path))
    assert (embedder.pooling, embedder.normalize) == ("max", True)
    assert (embedder.max_seq_length, embedder.limit.source) == (LIMIT, "preprocessor.json")
    assert embedder.backbone.config.activation == "gelu_approximate"
    assert isinstance(embedder.tokenizer, BertTokenizer)
    texts = ["the River runs", "", "unknownword, and more", LONG]
    theirs = BertTextEmbedder.from_preset(tmp_path)
    with pytest.warns(UserWarning, match="cut 1 of 4 texts after 11 tokens"):
        ours, wrapped = embedder.encode(texts), theirs.encode_text(texts)
    assert ours.tobytes() == wrapped.tobytes()


def test_a_keras_preset_that_is_no_embedder(tmp_path: Path) -> None:
    keras_preset(tmp_path)
    (tmp_path / "task.json").unlink()
    with pytest.warns(UserWarning, match=r"no task\.json of a BertTextEmbedder.*not normalised"):
        embedder = Embedder(tmp_path)
    assert (embedder.pooling, embedder.normalize) == ("mean", False)


def test_padding_inside_a_text_is_masked_as_in_keras_hub(tmp_path: Path) -> None:
    keras_preset(tmp_path, in_strings=True)
    task = BertTextEmbedder.from_preset(tmp_path)
    texts = ["the [PAD] mill [PAD]", "mill"]
    assert isinstance(task.preprocessor, BertTextEmbedderPreprocessor)
    inputs = task.preprocessor(texts)
    assert inputs["padding_mask"].sum(axis=1).tolist() == [4, 3]
    vectors = Embedder(tmp_path).encode(texts)
    assert vectors.tobytes() == task(inputs).tobytes() == task.predict(texts).tobytes()


# -- for `BertTextEmbedder` ------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["mean", "cls", "max"])
@pytest.mark.parametrize("normalize", [True, False])
def test_a_sentence_transformers_directory(tmp_path: Path, mode: str, normalize: bool) -> None:
    write_tiny_model(tmp_path, pooling=mode, normalize=normalize)
    embedder = BertTextEmbedder.from_preset(tmp_path)
    assert (embedder.pooling_mode, embedder.normalize) == (mode, normalize)
    assert isinstance(embedder.preprocessor, TextReader)
    assert embedder.preprocessor.sequence_length == LIMIT
    vectors = Embedder(tmp_path).encode(TEXTS)
    assert embedder.encode_text(TEXTS).tobytes() == vectors.tobytes()
    shorter = BertTextEmbedder.from_preset(tmp_path, max_seq_length=5)
    assert shorter.preprocessor is not None
    assert shorter.preprocessor.sequence_length == 5
    assert BertTextEmbedder.from_preset(tmp_path, preprocessor=None).preprocessor is None
    with pytest.raises(ConfigError, match="max_seq_length goes with the model's own preprocessor"):
        BertTextEmbedder.from_preset(tmp_path, preprocessor=None, max_seq_length=5)


def test_a_hugging_face_directory_has_keras_hubs_defaults(tmp_path: Path) -> None:
    write_tiny_model(tmp_path, pooling="cls", normalize=False)
    (tmp_path / "modules.json").unlink()
    embedder = BertTextEmbedder.from_preset(tmp_path)
    assert (embedder.pooling_mode, embedder.normalize) == ("mean", True)


def test_modules_that_do_not_fit(tmp_path: Path) -> None:
    write_tiny_model(tmp_path, pooling="weightedmean")
    words = "the model's modules are more than a BertTextEmbedder has"
    with pytest.raises(UnsupportedModelError, match=words + r"[\s\S]*weightedmean[\s\S]*Embedder"):
        BertTextEmbedder.from_preset(tmp_path)
    write_json(tmp_path / "1_Pooling" / "config.json", {"pooling_mode": ["mean", "max"]})
    with pytest.raises(UnsupportedModelError, match=words + r"[\s\S]*mean\+max"):
        BertTextEmbedder.from_preset(tmp_path)
    write_json(tmp_path / "1_Pooling" / "config.json", {"pooling_mode": "mean"})
    write_modules(tmp_path, "Dense")
    write_dense(tmp_path / "2_Dense", 20, 9)
    with pytest.raises(UnsupportedModelError, match=words + r"[\s\S]*then 1 modules"):
        BertTextEmbedder.from_preset(tmp_path)


def test_a_backbone_alone_has_keras_hubs_defaults(tmp_path: Path) -> None:
    BertBackbone(11, 1, 2, 12, 13, max_sequence_length=7, seed=0).save_to_preset(tmp_path)
    embedder = BertTextEmbedder.from_preset(tmp_path)
    assert (embedder.pooling_mode, embedder.normalize) == ("mean", True)
    assert embedder.preprocessor is None


def test_a_built_in_without_weights() -> None:
    embedder = BertTextEmbedder.from_preset("bert_tiny_en_uncased", load_weights=False)
    assert (embedder.pooling_mode, embedder.preprocessor) == ("mean", None)


@pytest.mark.parametrize("said", [{"truncate_dim": 7}, {"default_prompt_name": "query"}])
def test_what_the_task_does_not_do_is_no_secret(tmp_path: Path, said: dict[str, object]) -> None:
    model = write_tiny_model(tmp_path / "tiny")
    settings = {"prompts": {"query": "the "}} | said
    write_json(model / "config_sentence_transformers.json", settings)
    with pytest.raises(UnsupportedModelError, match=rf"{next(iter(said))}[\s\S]*use Embedder"):
        BertTextEmbedder.from_preset(model)


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ({"pooling_mode": "weightedmean"}, "pooling_mode among mean, cls, max"),
        ({"pooling_mode": ["mean"]}, "pooling_mode among mean, cls, max"),
        ({"normalize": "yes"}, "true or false as normalize"),
    ],
)
def test_a_damaged_task(tmp_path: Path, settings: dict[str, object], what: str) -> None:
    path = keras_preset(tmp_path) / "task.json"
    change_json(path, lambda task: task["config"].update(settings))
    for load in (Embedder, BertTextEmbedder.from_preset):
        with pytest.raises(ModelFileError, match=what):
            load(tmp_path)


def test_a_task_around_another_backbone(tmp_path: Path) -> None:
    path = keras_preset(tmp_path) / "task.json"
    change_json(path, lambda task: task["config"]["backbone"]["config"].update(num_layers=9))
    for load in (Embedder, BertTextEmbedder.from_preset):
        with pytest.raises(ConfigError, match="num_layers"):
            load(tmp_path)


def test_keras_hubs_defaults(tmp_path: Path) -> None:
    path = keras_preset(tmp_path) / "task.json"
    change_json(path, lambda task: [task["config"].pop(n) for n in ("pooling_mode", "normalize")])
    embedder = Embedder(tmp_path)
    assert (embedder.pooling, embedder.normalize) == ("mean", True)
