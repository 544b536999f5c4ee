"""What tokenizers and preprocessors have in common: they are in a Keras preset, and go into one."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, ClassVar

from npbert.presets.registry import BuiltInPresets
from npbert.text.keras_files import save_files, serialized


class KerasObject:
    """The base of Keras Hub's classes that turn texts into inputs.

    Attributes:
        presets: the built-in presets, as Keras Hub lays them out.
        module: the file of Keras Hub's class.
        class_names: its name, and older ones.
    """

    presets: ClassVar = BuiltInPresets()
    module: ClassVar[str]
    class_names: ClassVar[tuple[str, ...]]

    def get_config(self) -> dict[str, Any]:
        """The settings, with Keras Hub's keys in its order."""
        raise NotImplementedError

    def preset_files(self) -> dict[str, bytes]:
        """What `save_to_preset` writes, by its path in the directory.

        Raises:
            ConfigError: a token of the vocabulary cannot be saved.
        """
        raise NotImplementedError

    def keras_object(self) -> dict[str, Any]:
        """What Keras makes of it in its files."""
        return serialized(self.module, self.class_names[0], self.get_config())

    def save_to_preset(self, preset_dir: str | os.PathLike[str]) -> None:
        """Write its files into a directory, which is made if need be; Keras Hub loads them.

        Raises:
            ConfigError: a token of the vocabulary cannot be saved, or the files not be written.
        """
        save_files(Path(preset_dir), self.preset_files())
