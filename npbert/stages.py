"""The names of what a forward pass computes, and what other libraries call it.

npbert's own, in the order of the pass: ``embeddings.token``, ``.position``, ``.segment``, ``.sum``,
``.layer_norm``; in each layer those of `IN_LAYER`, as ``layer.0.query``; ``sequence_output`` and
``pooled_output``. Every other name is an alias of one of these:

================ ========================================== ==============================
Keras Hub        paths of layers                            ``transformer_layer_0/...``
Hugging Face     paths of modules, ``bert.`` before or not  ``encoder.layer.0.output.dense``
TransformerLens  hooks of ``HookedEncoder``                 ``blocks.0.attn.hook_pattern``
================ ========================================== ==============================

An alias means what the layer, module or hook returns.

Source: keras_hub TransformerEncoder; transformers/models/bert/modeling_bert.py;
transformer_lens/components/bert_block.py, abstract_attention.py, bert_embed.py, mlp.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from difflib import get_close_matches
from typing import Any, Final, TypeAlias

from npbert.config import BertConfig
from npbert.errors import ConfigError

IN_EMBEDDINGS: Final = ("token", "position", "segment", "sum", "layer_norm")
IN_LAYER: Final = (
    *("query", "key", "value", "scores", "probs", "context"),
    *("attention_output", "attention_residual", "attention_layer_norm"),
    *("intermediate", "activation", "output", "output_residual", "output_layer_norm"),
)
OUTPUTS: Final = ("sequence_output", "pooled_output")

_ATTENTION: Final = "transformer_layer_*/self_attention_layer"
_ALIASES: Final = {  # `*` is the number of the layer
    # Keras Hub
    "token_embedding": "embeddings.token",
    "position_embedding": "embeddings.position",
    "segment_embedding": "embeddings.segment",
    "embeddings_add": "embeddings.sum",
    "embeddings_layer_norm": "embeddings.layer_norm",
    f"{_ATTENTION}/query": "layer.*.query",
    f"{_ATTENTION}/key": "layer.*.key",
    f"{_ATTENTION}/value": "layer.*.value",
    f"{_ATTENTION}/softmax": "layer.*.probs",
    f"{_ATTENTION}/attention_output": "layer.*.attention_output",
    _ATTENTION: "layer.*.attention_output",
    f"{_ATTENTION}_norm": "layer.*.attention_layer_norm",
    "transformer_layer_*/feedforward_intermediate_dense": "layer.*.activation",  # its GELU included
    "transformer_layer_*/feedforward_output_dense": "layer.*.output",
    "transformer_layer_*/feedforward_layer_norm": "layer.*.output_layer_norm",
    "transformer_layer_*": "layer.*.output_layer_norm",
    "pooled_dense": "pooled_output",
    # Hugging Face
    "embeddings.word_embeddings": "embeddings.token",
    "embeddings.position_embeddings": "embeddings.position",
    "embeddings.token_type_embeddings": "embeddings.segment",
    "embeddings.LayerNorm": "embeddings.layer_norm",
    "embeddings": "embeddings.layer_norm",
    "encoder.layer.*.attention.self.query": "layer.*.query",
    "encoder.layer.*.attention.self.key": "layer.*.key",
    "encoder.layer.*.attention.self.value": "layer.*.value",
    "encoder.layer.*.attention.self": "layer.*.context",
    "encoder.layer.*.attention.output.dense": "layer.*.attention_output",
    "encoder.layer.*.attention.output.LayerNorm": "layer.*.attention_layer_norm",
    "encoder.layer.*.attention.output": "layer.*.attention_layer_norm",
    "encoder.layer.*.attention": "layer.*.attention_layer_norm",
    "encoder.layer.*.intermediate.dense": "layer.*.intermediate",
    "encoder.layer.*.intermediate.intermediate_act_fn": "layer.*.activation",
    "encoder.layer.*.intermediate": "layer.*.activation",
    "encoder.layer.*.output.dense": "layer.*.output",
    "encoder.layer.*.output.LayerNorm": "layer.*.output_layer_norm",
    "encoder.layer.*.output": "layer.*.output_layer_norm",
    "encoder.layer.*": "layer.*.output_layer_norm",
    "encoder": "sequence_output",
    "pooler": "pooled_output",
    # TransformerLens
    "embed.hook_embed": "embeddings.token",
    "embed.hook_pos_embed": "embeddings.position",
    "embed.hook_token_type_embed": "embeddings.segment",
    "hook_full_embed": "embeddings.layer_norm",
    "blocks.*.attn.hook_q": "layer.*.query",
    "blocks.*.attn.hook_k": "layer.*.key",
    "blocks.*.attn.hook_v": "layer.*.value",
    "blocks.*.attn.hook_attn_scores": "layer.*.scores",
    "blocks.*.attn.hook_pattern": "layer.*.probs",
    "blocks.*.attn.hook_z": "layer.*.context",
    "blocks.*.hook_attn_out": "layer.*.attention_output",
    "blocks.*.hook_resid_mid": "layer.*.attention_residual",
    "blocks.*.mlp.hook_pre": "layer.*.intermediate",
    "blocks.*.mlp.hook_post": "layer.*.activation",
    "blocks.*.hook_mlp_out": "layer.*.output",
    "blocks.*.hook_resid_post": "layer.*.output_residual",
    "blocks.*.hook_normalized_resid_post": "layer.*.output_layer_norm",
}
_OWN: Final = re.compile(
    rf"embeddings\.({'|'.join(IN_EMBEDDINGS)})|layer\.\d+\.({'|'.join(IN_LAYER)})"
    rf"|{'|'.join(OUTPUTS)}"
)

Names: TypeAlias = str | Iterable[str] | Callable[[str], bool] | None
"""Which stages: one name, several, a function that says yes to a name, or None for all."""


def is_stage(name: str) -> bool:
    """Whether npbert calls a stage so, in whichever layer."""
    return _OWN.fullmatch(name) is not None


def canonical(name: str) -> str | None:
    """npbert's name of a stage that is called ``name`` somewhere; None if it is called so nowhere.

    >>> canonical("bert.encoder.layer.3.attention.self.query")
    'layer.3.query'
    """
    if is_stage(name):
        return name
    name = name.removeprefix("bert.").removeprefix("bert_backbone/")
    found = re.search(r"(?<=[._])\d+(?=[./]|$)", name)
    pattern = name if found is None else f"{name[: found.start()]}*{name[found.end() :]}"
    stage = _ALIASES.get(pattern)
    return stage if stage is None or found is None else stage.replace("*", found[0])


def names(config: BertConfig, *, pooler: bool = True) -> list[str]:
    """Every stage of a model, in the order of the forward pass."""
    layers = [f"layer.{i}.{stage}" for i in range(config.num_layers) for stage in IN_LAYER]
    outputs = OUTPUTS if pooler else OUTPUTS[:1]
    return [*(f"embeddings.{stage}" for stage in IN_EMBEDDINGS), *layers, *outputs]


def choose(wanted: Names, known: list[str]) -> set[str]:
    """The stages among ``known`` that are meant, whatever they are called.

    Raises:
        ConfigError: a name is none of them.
    """
    if wanted is None:
        return set(known)
    if callable(wanted):
        return {name for name in known if wanted(name)}
    listed = [wanted] if isinstance(wanted, str) else list(wanted)
    return {checked(name, known) for name in listed}


def checked(name: Any, known: list[str]) -> str:
    """npbert's name of one stage of a model.

    Raises:
        ConfigError: the model has none of this name.
    """
    found = canonical(name) if isinstance(name, str) else None
    if found not in known or found is None:
        near = get_close_matches(str(name), known, n=1)
        raise ConfigError(
            "the model has no stage of this name.",
            received=repr(name),
            expected="embeddings.token, layer.0.query and so on, or the name in another library",
            fix=f"did you mean {near[0]!r}?" if near else "npbert.stages lists them",
        )
    return found


class Cache(dict[str, Any]):
    """Stage name -> value; a stage answers to its names in other libraries too."""

    def __missing__(self, name: str) -> Any:
        stage = canonical(name)
        if stage is None or stage == name:
            raise KeyError(name)
        return self[stage]
