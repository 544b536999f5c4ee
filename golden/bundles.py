"""The bundles of one run: name, JSON object and arrays, before they are written."""

from __future__ import annotations

import importlib.metadata
import json
import platform
from pathlib import Path
from typing import Any

from golden.cases import Arrays
from npbert.parity.bundle import Bundle, load_bundle, save_bundle

COMMAND = "python -m golden.generate"

PACKAGES = (
    "numpy",
    "keras",
    "keras-hub",
    "tensorflow-cpu",
    "jax",
    "jaxlib",
    "torch",
    "transformers",
    "tokenizers",
    "safetensors",
    "h5py",
)


def provenance(seed: int | None = None) -> dict[str, Any]:
    """Where a bundle's numbers come from; no date, so that the same numbers give the same file."""
    versions = {name: importlib.metadata.version(name) for name in PACKAGES}
    return {
        "command": COMMAND,
        "seed": seed,
        "threads": 1,
        "python": platform.python_version(),
        "versions": versions,
    }


def new_bundle(
    case: str, about: str, config: dict[str, Any], arrays: Arrays, *, seed: int | None, **more: Any
) -> Bundle:
    """A bundle whose JSON has every key a reader may rely on, and ``more`` beside them."""
    meta = {
        "case": case,
        "about": about,
        "config": config,
        "provenance": provenance(seed),
        "tolerances": {},
    }
    return Bundle(meta | more, arrays)


def write_bundle(stem: Path, bundle: Bundle) -> None:
    """Save and make the folder it lies in."""
    stem.parent.mkdir(parents=True, exist_ok=True)
    save_bundle(stem, bundle)


def write_part(work: Path, name: str, part: str, arrays: Arrays) -> None:
    """Leave one worker's share of a bundle for `collect`."""
    write_bundle(work / "parts" / f"{name}@{part}", Bundle({}, arrays))


def collect(work: Path, name: str) -> Arrays:
    """Every worker's share of the bundle, joined; a key may come from one worker only."""
    joined: Arrays = {}
    for path in sorted((work / "parts").glob(f"{name}@*.json")):
        share = load_bundle(path.with_suffix("")).arrays
        if twice := joined.keys() & share.keys():
            raise AssertionError(f"{path} repeats {twice}")
        joined |= share
    if not joined:
        raise AssertionError(f"no worker wrote anything for {name}")
    return joined


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))
