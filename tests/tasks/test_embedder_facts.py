"""What an `Embedder` says of itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from text.tiny_model import BAKED, CONFIG, LIMIT, write_json, write_tiny_model

from npbert import Embedder

pytestmark = pytest.mark.kernel

PROMPTS = {"query": "query: ", "document": "", "passage": "passage: "}


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = write_tiny_model(tmp_path_factory.mktemp("models") / "tiny")
    settings = {"prompts": PROMPTS, "default_prompt_name": "query", "similarity_fn_name": "dot"}
    write_json(directory / "config_sentence_transformers.json", settings)
    return directory


@pytest.fixture(scope="module")
def tiny(directory: Path) -> Embedder:
    return Embedder(directory, num_threads=2)


def test_facts(tiny: Embedder) -> None:
    assert (tiny.pooling, tiny.normalize) == ("mean", True)
    assert (tiny.max_seq_length, tiny.limit.source) == (LIMIT, "sentence_bert_config.json")
    assert tiny.prompts == PROMPTS
    assert tiny.default_prompt_name == "query"
    assert tiny.similarity_fn_name == "dot"
    assert tiny.get_embedding_dimension() == CONFIG.hidden_dim
    assert tiny.tokenizer.vocabulary_size() == CONFIG.vocabulary_size
    assert tiny.backbone.config == CONFIG


def test_info_is_ready_for_json(tiny: Embedder, directory: Path) -> None:
    info = json.loads(json.dumps(tiny.info()))
    assert info["path"] == str(directory)
    assert info["config"] == CONFIG.to_dict()
    assert info["max_seq_length"] == LIMIT
    assert info["max_seq_length_source"] == "sentence_bert_config.json"
    assert info["max_seq_length_candidates"]["tokenizer.json (never used)"] == BAKED
    assert (info["dimension"], info["pooling"]) == (CONFIG.hidden_dim, "mean")
    assert (info["normalize"], info["similarity_fn_name"]) == (True, "dot")
    assert (info["prompts"], info["default_prompt_name"]) == (PROMPTS, "query")
    assert info["dtype"] == "float32"
    assert info["parameters"] == tiny.backbone.count_params()
    assert (info["num_threads"], info["num_threads_source"]) == (2, "the num_threads argument")


def test_repr(tiny: Embedder, directory: Path) -> None:
    assert repr(tiny) == (
        f"Embedder({str(directory)!r}, dimension=20, pooling='mean', normalize=True,"
        " max_seq_length=11)"
    )
