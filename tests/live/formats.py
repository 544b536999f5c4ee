"""One row of the matrix of formats: a way to store a model, and who writes and who reads it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np
from live import drawn
from live.drawn import Built
from live.peers import save

from golden.cases import Arrays

NPBERT, KERAS_HUB = "npbert", "Keras Hub"
TRANSFORMERS, SENTENCES = "transformers", "sentence-transformers"

Write = Callable[[Path, Built, str], Any]
Read = Callable[[Path, Built], Any]


class Format(NamedTuple):
    """A row.

    Args:
        writer, reader: npbert and a library, or the other way round.
        about: the way to store a model, in words.
        dtype: of `STORED`, or what else is done to the numbers: ``lora``, ``int8``, ...
        write: (path, the drawn model, dtype) -> the writer's model.
        read: (path, the drawn model) -> the library's model; None where the written one stands.
        ending: of the file's name; a directory has none.
        changes: of the drawn model's config.
        pooler: whether ``pooled_dense`` is stored.
        says: words of the warning with which npbert reads.
        refused: the beginning of the error with which npbert does not.
    """

    writer: str
    reader: str
    about: str
    dtype: str
    write: Write
    read: Read | None = None
    ending: str = ""
    changes: Mapping[str, Any] = {}
    pooler: bool = True
    says: str = ""
    refused: str = ""

    @property
    def name(self) -> str:
        """What the row is called, and what the file is, but for its ending."""
        return f"{self.writer} to {self.reader}, {self.about}, {self.dtype}"

    @property
    def library(self) -> str:
        """The one of both that is not npbert."""
        return self.reader if self.writer == NPBERT else self.writer

    def path(self, work: Path) -> Path:
        """The file or directory."""
        return work / (self.name + self.ending)

    def drawn(self, seed: int) -> Built:
        """The model that is stored, of several layers, and its inputs."""
        cases = drawn.hugging_face_cases(seed)[:1]
        if self.library == KERAS_HUB:
            cases = drawn.keras_cases(seed)[3:4]
        return drawn.build(dataclasses.replace(cases[0], config=cases[0].config | self.changes))


def rows(
    writer: str, reader: str, about: str, dtypes: str, *more: Any, **named: Any
) -> list[Format]:
    """A row for each dtype."""
    return [Format(writer, reader, about, each, *more, **named) for each in dtypes.split()]


STORED: Mapping[str, Any] = {
    "float64": np.float64,
    "float32": np.float32,
    "mixed_float16": np.float32,
    "mixed_bfloat16": np.float32,
    "float16": np.float16,
    "bfloat16": ml_dtypes.bfloat16,
    "float16_from_float32": np.float16,
}
"""Policy -> what the drawn weights are rounded to in a file, where nothing else is done to them."""


def run(work: Path, row: Format, seed: int) -> Any:
    """Write the row's file, and read it: the library's model."""
    path, built = row.path(work), row.drawn(seed)
    written = row.write(path, built, row.dtype)
    return row.read(path, built) if row.read else written


def leave(work: Path, row: Format, weights: Arrays, outputs: Arrays) -> None:
    """What the library has of the model: weights by its own names, outputs in float32.

    ``exact.NAME`` is its own output NAME in float64, for those that the reference does not have.
    """
    save(work, row.name, {f"weights.{key}": array for key, array in weights.items()} | outputs)
