"""Vectors to files, written whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
import typer
from numpy.typing import NDArray

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


@contextmanager
def atomic_write(path: Path) -> Generator[BinaryIO]:
    """A file that takes its name only once it is complete and on disk.

    Until then an old file of that name stays as it was; after an error nothing is left behind. A
    link stays a link, to the new content.
    """
    target = path.resolve()
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if target.exists():
            os.chmod(temporary, target.stat().st_mode & 0o7777)
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
