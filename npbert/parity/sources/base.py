"""What sources have in common: the answers of one that can do nothing, and how libraries load."""

from __future__ import annotations

import importlib
import importlib.metadata
import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from npbert.config import BertConfig
from npbert.errors import DependencyError, InputError, ModelFileError
from npbert.parity.types import Array, Inputs, Stages, Tokens
from npbert.presets.hubs import fetch, handle_of
from npbert.presets.installed import find_installed, packaged

NAMES: Final[tuple[str, ...]] = ("token_ids", "segment_ids", "padding_mask")
BATCH: Final = 16
"""Texts that a library is given at once."""


class Base:
    """A `npbert.parity.types.Source` that shows nothing; each kind replaces what it can do.

    Args:
        name: as the user wrote it.
        config, recorded, environment: see `npbert.parity.types.Source`.

    Attributes:
        notes: what a reader of the numbers should know of this side.
    """

    kind = ""

    def __init__(
        self,
        name: str,
        *,
        config: BertConfig | None = None,
        recorded: Inputs | None = None,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.name, self.config, self.recorded = name, config, recorded
        self.environment: Mapping[str, str] = dict(environment or {})
        self.notes: list[str] = []

    def weights(self) -> Mapping[str, Array] | None:
        """Keras Hub's variable paths -> tensors in their own dtype."""
        return None

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        """The source's own tokens."""
        return None

    def run(self, inputs: Inputs) -> Stages:
        """Every stage that the source shows."""
        return {}

    def encode(self, texts: Sequence[str]) -> Stages | None:
        """``text.pooling`` and ``text.vector``, whichever the source shows."""
        return None

    def unnamed(self, inputs: Inputs) -> Stages:
        """Arrays whose names do not say what they are: what `automap` has to work with."""
        return {}

    def check_recorded(self, inputs: Inputs) -> None:
        """Refuse other inputs than those of the record.

        Raises:
            InputError: the arrays differ.
        """
        for name, array in (self.recorded or {}).items():
            if not np.array_equal(array, inputs[name]):
                raise InputError(
                    "a record knows only the inputs that it was made with.",
                    where=f"{self.name}: {name}",
                    received=f"another array, {np.shape(inputs[name])}",
                    expected=f"the recorded one, {np.shape(array)}",
                    fix="compare without --text, --texts and inputs of your own",
                )


def imported(module: str, package: str, kind: str) -> Any:
    """A library that only this kind of source needs.

    Args:
        module: ``"torch"``.
        package: what pip calls it.
        kind: of the source.

    Raises:
        DependencyError: it, or what it needs, is not installed.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # theirs, of one another
            return importlib.import_module(module)
    except ImportError as error:
        raise DependencyError(
            f"a source of kind {kind!r} needs {module}, which cannot be imported.",
            received=f"{error}",
            fix=f"pip install {package}",
        ) from error


def versions(*packages: str) -> dict[str, str]:
    """Distribution -> version, of those that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def local_directory(preset: str) -> Path:
    """The directory of a model, all of its files in it, for libraries that know no other names.

    Args:
        preset: a directory, the name of an installed model, or a handle (``hf://...``).

    Raises:
        ModelFileError: there is no such directory, or a hub does not give the model.
    """
    if packaged(preset):
        return find_installed(preset)
    if "://" in preset:
        return fetch(handle_of(preset), load_weights=True)
    path = Path(preset)
    if not path.is_dir():
        raise ModelFileError(
            f"no directory at '{preset}'.",
            received="a file" if path.exists() else "nothing",
            expected="a model's directory, or the name of an installed model",
            fix="check the path",
        )
    return path


def cannot_load(library: str, directory: Path, error: Exception) -> ModelFileError:
    """The error for a directory that a library refuses, in the library's words."""
    return ModelFileError(
        f"{library} cannot load the model.",
        where=directory,
        received=f"{type(error).__name__}: {str(error).strip()[:300]}",
        fix="check that the directory has config.json and model.safetensors of a BERT",
    )


def cannot_run(library: str, name: str, inputs: Inputs, error: Exception) -> InputError:
    """The error for inputs that a library refuses, in the library's words."""
    return InputError(
        f"{library} cannot run the model on these inputs.",
        where=name,
        received=f"{type(error).__name__}: {str(error).strip()[:300]}",
        expected=f"a batch of {np.shape(inputs['token_ids'])} within the model's tables",
        fix="take inputs that fit the vocabularies and the lengths of both sides",
    )


def split_off(rest: str, mark: str) -> tuple[str, str | None]:
    """``"PATH@dtype"`` -> ``("PATH", "dtype")``; what comes after a slash is part of the path."""
    before, found, after = rest.rpartition(mark)
    if not found or not before or not after or "/" in after or Path(rest).exists():
        return rest, None
    return before, after


def in_batches(texts: Sequence[str]) -> Iterator[list[str]]:
    """The texts, `BATCH` at a time."""
    for start in range(0, len(texts), BATCH):
        yield list(texts[start : start + BATCH])
