"""The table that ``BertBackbone.summary()`` prints."""

from __future__ import annotations

import dataclasses

import pytest

from npbert.config import BertConfig
from npbert.summary import print_summary
from npbert.weights import weight_shapes

CONFIG = BertConfig(
    vocabulary_size=23,
    num_layers=2,
    num_heads=3,
    hidden_dim=12,
    intermediate_dim=17,
    max_sequence_length=10,
    num_segments=4,
)


@pytest.fixture
def printed(capsys, monkeypatch):
    """What is printed for a config, its lines stripped of the frame."""
    monkeypatch.setenv("COLUMNS", "120")

    def summary(config=CONFIG, pooler=True):
        print_summary("little", config, weight_shapes(config, pooler=pooler))
        captured = capsys.readouterr()
        assert captured.err == ""
        lines = [
            line.replace("│", " ").replace("┃", " ").split() for line in captured.out.splitlines()
        ]
        return [" ".join(line) for line in lines]

    return summary


def test_the_whole_table(printed):
    frames = "┏┡└"
    assert [line for line in printed() if line[0] not in frames] == [
        'Model "little"',
        "Layer Tables and kernels Parameters",
        "token_embedding embeddings (23, 12) 276",
        "position_embedding embeddings (10, 12) 120",
        "segment_embedding embeddings (4, 12) 48",
        "embeddings_layer_norm 24",
        "transformer_layer_0 to 1 query (12, 3, 4) 2 x 1,109",
        "key (12, 3, 4)",
        "value (12, 3, 4)",
        "attention_output (3, 4, 12)",
        "feedforward_intermediate_dense (12, 17)",
        "feedforward_output_dense (17, 12)",
        "pooled_dense kernel (12, 12) 156",
        "Parameters: 2,842 (0.0 MiB of float32)",
        "Activation: gelu_approximate",
    ]
    assert 276 + 120 + 48 + 24 + 2 * 1109 + 156 == 2842


@pytest.mark.parametrize(
    ("layers", "row"), [(1, "transformer_layer_0 query"), (12, "transformer_layer_0 to 11 query")]
)
def test_alike_layers_are_one_row(printed, layers, row):
    lines = printed(dataclasses.replace(CONFIG, num_layers=layers))
    assert sum(line.startswith("transformer_layer") for line in lines) == 1
    assert any(line.startswith(row) for line in lines)


def test_no_layers_and_no_pooler(printed):
    lines = printed(dataclasses.replace(CONFIG, num_layers=0, activation="gelu"), pooler=False)
    assert not any(line.startswith(("transformer_layer", "pooled")) for line in lines)
    assert "Parameters: 468 (0.0 MiB of float32)" in lines
    assert lines[-1] == "Activation: gelu"
