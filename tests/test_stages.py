"""The names of stages, npbert's own and those of other libraries."""

from __future__ import annotations

import goldens
import pytest

from npbert import reference, stages
from npbert.errors import ConfigError


def test_names_are_those_of_the_reference_in_its_order():
    seen = []
    config, weights = goldens.config("deep"), goldens.weights("deep")
    reference.forward(config, weights, **goldens.inputs("deep"), seen=lambda s, _: seen.append(s))
    assert stages.names(config) == seen
    assert stages.names(config, pooler=False) == seen[:-1]
    assert all(map(stages.is_stage, seen))
    assert [stages.canonical(name) for name in seen] == seen


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("embeddings_add", "embeddings.sum"),
        ("bert_backbone/pooled_dense", "pooled_output"),
        ("transformer_layer_11/self_attention_layer/query", "layer.11.query"),
        ("transformer_layer_0/self_attention_layer_norm", "layer.0.attention_layer_norm"),
        ("transformer_layer_2", "layer.2.output_layer_norm"),
        ("bert.embeddings.word_embeddings", "embeddings.token"),
        ("encoder.layer.3.attention.self.value", "layer.3.value"),
        ("bert.encoder.layer.10.output.dense", "layer.10.output"),
        ("encoder.layer.4", "layer.4.output_layer_norm"),
        ("blocks.0.attn.hook_pattern", "layer.0.probs"),
        ("blocks.7.hook_resid_mid", "layer.7.attention_residual"),
        ("hook_full_embed", "embeddings.layer_norm"),
    ],
)
def test_other_libraries_names(name, stage):
    assert stages.canonical(name) == stage


@pytest.mark.parametrize(
    "name", ["", "layer.query", "layer.0.quer", "blocks.x.hook_mlp_out", "encoder.layer", "0", "*"]
)
def test_what_no_library_calls_a_stage(name):
    assert stages.canonical(name) is None
    assert not stages.is_stage(name)


def test_choosing():
    known = stages.names(goldens.config("one_head"))  # two layers
    assert stages.choose(None, known) == set(known)
    assert stages.choose("encoder.layer.1", known) == {"layer.1.output_layer_norm"}
    both = ("layer.0.query", "blocks.1.attn.hook_q")
    assert stages.choose(both, known) == {"layer.0.query", "layer.1.query"}
    assert stages.choose(lambda name: name.endswith("probs"), known) == {
        "layer.0.probs",
        "layer.1.probs",
    }


@pytest.mark.parametrize("name", ["layer.2.query", "layer.0.qery", 7])
def test_a_stage_that_the_model_does_not_have(name):
    known = stages.names(goldens.config("one_head"))
    with pytest.raises(ConfigError, match="no stage of this name") as caught:
        stages.choose([name], known)
    assert caught.value.received == repr(name)
    if name == "layer.0.qery":
        assert caught.value.fix == "did you mean 'layer.0.query'?"


def test_the_cache_answers_to_every_name():
    cache = stages.Cache({"layer.0.probs": 1})
    assert cache["blocks.0.attn.hook_pattern"] == cache["layer.0.probs"] == 1
    assert "blocks.0.attn.hook_pattern" not in cache
    for name in ("layer.1.probs", "blocks.1.attn.hook_pattern", "nothing"):
        with pytest.raises(KeyError):
            cache[name]
