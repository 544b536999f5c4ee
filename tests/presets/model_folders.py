"""Model directories for the tests: copies of the golden ones, with pieces changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

PRESETS = Path(__file__).resolve().parents[2] / "golden" / "presets"


def copy(name: str, to: Path) -> Path:
    """A writable copy of a golden directory."""
    return Path(shutil.copytree(PRESETS / name, to / name))


def config(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "config.json").read_text())


def change(folder: Path, fields: dict[str, Any], remove: str | None = None) -> Path:
    """Change the fields of config.json, for Keras those inside its "config"."""
    raw = config(folder)
    target = raw["config"] if "registered_name" in raw else raw
    target.update(fields)
    target.pop(remove, None)
    (folder / "config.json").write_text(json.dumps(raw))
    return folder
