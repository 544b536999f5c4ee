"""A hub in this process, for the tests of what is asked of one."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from npbert.errors import ModelFileError, NpbertError
from npbert.presets import hubs
from npbert.presets.hub_errors import UnreachableError
from npbert.presets.hubs import ALONGSIDE

HANDLE = "hf://org/tiny"
KERAS_FILES = ["config.json", *ALONGSIDE["keras"], "model.weights.h5"]


class FakeHub:
    """A hub whose cache is one directory; a file is whole when it lies there."""

    has: Path
    cache: Path
    absent: set[str]
    reachable: bool
    log: list[str]

    def __init__(self, name: str) -> None:
        assert name == "org/tiny"

    def known(self, file: str) -> hubs.Known:
        if file in self.absent:
            return "absent"
        path = self.cache / file
        return path if path.is_file() and path.stat().st_size else "unknown"

    def fetch(self, file: str) -> Path | None:
        self.log.append(file)
        if not self.reachable and isinstance(path := self.known(file), Path):
            return path  # as the clients do
        if not self.reachable:
            raise UnreachableError("no answer")
        if not (self.has / file).is_file():
            self.absent.add(file)
            return None
        (self.cache / file).parent.mkdir(parents=True, exist_ok=True)
        return Path(shutil.copy(self.has / file, self.cache / file))

    def no_config(self) -> NpbertError:
        return ModelFileError("no config")


def shard(folder: Path, weight_map: dict[str, object]) -> None:
    """Put an index in the place of the one file of weights."""
    (folder / "model.weights.h5").unlink()
    (folder / "model.weights.json").write_text(json.dumps({"weight_map": weight_map}))
