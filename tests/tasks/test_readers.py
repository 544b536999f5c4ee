from __future__ import annotations

import pytest
from text.tiny_model import CONFIG, LIMIT
from weights.model_files import change_json

from npbert.errors import ConfigError
from npbert.tasks.readers import TextReader
from tasks.task_models import write_classifier


@pytest.fixture
def directory(tmp_path):
    return write_classifier(tmp_path / "model")


def test_texts_and_pairs(directory):
    reader = TextReader.from_directory(directory, CONFIG, None)
    assert reader.sequence_length == LIMIT
    encoded = reader.encode(["the mill", ("the", "mill")])
    assert [ids.tolist() for ids in encoded.ids] == [[2, 5, 12, 3], [2, 5, 3, 12, 3]]
    assert [ids.tolist() for ids in encoded.segment_ids] == [[0] * 4, [0, 0, 0, 1, 1]]


def test_a_limit(directory):
    reader = TextReader.from_directory(directory, CONFIG, 5)
    assert reader.sequence_length == 5
    encoded = reader.encode(["the old mill and the river", ("the old mill", "and the river")])
    assert encoded.lengths.tolist() == [5, 5]
    assert encoded.full_lengths.tolist() == [8, 9]
    with pytest.raises(ConfigError, match=r"max_seq_length must be an int in \[3, 19\]"):
        TextReader.from_directory(directory, CONFIG, 20)


def test_case_is_folded_where_sentence_transformers_does(directory):
    change_json(directory / "tokenizer.json", lambda j: j["normalizer"].update(lowercase=False))
    change_json(directory / "tokenizer_config.json", lambda j: j.update(do_lower_case=False))
    reader = TextReader.from_directory(directory, CONFIG, None)
    assert reader.encode(["The"]).ids[0].tolist() == [2, 1, 3]
    path = directory / "sentence_bert_config.json"
    change_json(path, lambda j: j.update(do_lower_case=True))
    reader = TextReader.from_directory(directory, CONFIG, None)
    assert reader.encode(["The"]).ids[0].tolist() == [2, 5, 3]
