"""Compare freshly generated goldens with the committed ones, array by array."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.bundles import read_json
from npbert.errors import ModelFileError
from npbert.parity.bundle import load_bundle

SUFFIXES = (".json", ".safetensors", ".h5")
"""What a golden folder consists of; anything else in it is the generator's own."""

OTHERS = ("vector_math.json", "vector_math_64.safetensors")
"""Made by commands of their own: `tests/vector_math_sweep.py` and its neighbour."""


@dataclasses.dataclass(frozen=True)
class Difference:
    """What differs in one file or bundle: one line per key."""

    name: str
    lines: list[str]


def compare_trees(new: Path, old: Path) -> tuple[list[str], list[Difference]]:
    """Names that are equal to the last bit, and the differences, of two golden folders."""
    names = sorted(set(_files(new)) | set(_files(old)))
    equal: list[str] = []
    different: list[Difference] = []
    for name in names:
        lines = _compare(new / name, old / name)
        if lines:
            different.append(Difference(name, lines))
        else:
            equal.append(name)
    return equal, different


def _files(folder: Path) -> list[str]:
    """Every golden file below, a bundle counting once, under its JSON's name.

    A damaged JSON is no bundle's, so its arrays then count as a file of their own.
    """
    if not folder.is_dir():
        return []
    found = [p.relative_to(folder) for p in folder.rglob("*") if p.is_file()]
    golden = [p for p in found if p.suffix in SUFFIXES and p.name not in OTHERS]
    return [str(p) for p in golden if not _is_arrays_of_bundle(folder / p)]


def _is_arrays_of_bundle(path: Path) -> bool:
    return path.suffix == ".safetensors" and _is_bundle(path.with_suffix(".json"))


def _is_bundle(path: Path) -> bool:
    try:
        return path.suffix == ".json" and "schema_version" in read_json(path)
    except (OSError, ValueError):
        return False


def _compare(new: Path, old: Path) -> list[str]:
    if not old.exists():
        return ["not among the committed goldens"]
    if not new.exists():
        return ["no longer generated"]
    if _is_bundle(new):
        return _compare_bundles(new, old)
    return [] if new.read_bytes() == old.read_bytes() else ["the file's bytes differ"]


def _compare_bundles(new: Path, old: Path) -> list[str]:
    a = load_bundle(new.with_suffix(""))
    try:
        b = load_bundle(old.with_suffix(""))
    except ModelFileError as error:
        return [f"the committed bundle is damaged: {error.what}"]
    lines = [
        f"{key}: {_short(b.meta.get(key))} -> {_short(a.meta.get(key))}"
        for key in sorted(a.meta.keys() | b.meta.keys())
        if key != "sha256" and a.meta.get(key) != b.meta.get(key)
    ]
    for key in sorted(a.arrays.keys() | b.arrays.keys()):
        if key not in b.arrays:
            lines.append(f"{key}: new")
        elif key not in a.arrays:
            lines.append(f"{key}: gone")
        elif line := _compare_arrays(a.arrays[key], b.arrays[key]):
            lines.append(f"{key}: {line}")
    return lines


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 300 else text[:297] + "..."


def _compare_arrays(new: NDArray[Any], old: NDArray[Any]) -> str:
    if (new.dtype, new.shape) != (old.dtype, old.shape):
        return f"{old.dtype}{old.shape} -> {new.dtype}{new.shape}"
    if new.tobytes() == old.tobytes():
        return ""
    distance = np.abs(new.astype(np.float64) - old.astype(np.float64))
    scale = np.abs(old.astype(np.float64)).max()
    return f"max |difference| {distance.max():.3g}, where the largest value is {scale:.3g}"
