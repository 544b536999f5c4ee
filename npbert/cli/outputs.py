"""Vectors to files, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np
import typer
from numpy.typing import NDArray

from npbert.weights.atomic import atomic_write as atomic_write

FORMATS: Final = (".npy", ".jsonl")


def check_output(path: Path | None) -> None:
    """Refuse a file that could not be written in the end, before any work is done.

    Raises:
        typer.BadParameter: an unknown suffix, no such directory, or a directory.
    """
    if path is None:
        return
    if path.suffix not in FORMATS:
        raise typer.BadParameter(f"{path} must end in {' or '.join(FORMATS)}")
    if path.is_dir() or not path.resolve().parent.is_dir():
        raise typer.BadParameter(f"{path} is a directory, or its directory does not exist")


def write_vectors(path: Path, texts: list[str], vectors: NDArray[np.float32]) -> None:
    """Write (B, D) vectors: as one array (.npy), or as one JSON object a line with its text."""
    with atomic_write(path) as file:
        if path.suffix == ".npy":
            np.save(file, vectors, allow_pickle=False)
            return
        for text, vector in zip(texts, vectors, strict=True):
            # The shortest digits that give back the same float32.
            numbers = [float(str(value)) for value in vector]
            line = json.dumps({"text": text, "embedding": numbers}, ensure_ascii=False)
            file.write(line.encode() + b"\n")
