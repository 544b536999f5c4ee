"""What compiled code depends on besides the kernel itself: sources, versions, Numba's settings."""

from __future__ import annotations

import hashlib
import importlib
import os
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

PACKAGES: Final = {
    "npbert.simd": Path(__file__).parent,
    "npbert.ops": Path(__file__).parents[1] / "ops",
}
"""Where the code of kernels comes from. A kernel from elsewhere is not kept: no key would hold."""

# Settings of Numba that do not reach the code, or reach it as the target, which is named by itself.
# All others count, also those yet to come.
_NOT_IN_CODE = re.compile(
    "_|CACHE|COLOR|CPU_|CUDA|ENABLE_AVX|HTML|RUNNING_UNDER|SHOW|.*THREAD|.*_CUDA"
)


class Sources:
    """The files of some packages, as they are when this is made.

    Args:
        packages: the name of each package and its directory.
    """

    def __init__(self, packages: Mapping[str, Path]) -> None:
        self.packages = packages
        self._files = self._find()
        self._seen = self._look()
        self.digest = self._digest()
        """SHA-256 of all files, or "" where there are none to read (a zip)."""

    def unchanged(self) -> bool:
        """Whether the files still say what they said: else this process runs something else.

        They are read again only where a file or directory looks different: this is asked often.
        """
        if not self.digest or self._look() == self._seen:
            return bool(self.digest)
        self._files = self._find()
        seen = self._look()
        if self._digest() != self.digest:
            return False
        self._seen = seen
        return True

    def _find(self) -> list[tuple[str, Path]]:
        """Every file, with the name under which it is hashed."""
        return [
            (f"{name} {path.relative_to(directory)}", path)
            for name, directory in self.packages.items()
            for path in sorted(directory.rglob("*.py"))
        ]

    def _look(self) -> list[tuple[int, int, int] | None]:
        """What a write changes; what comes and goes, the directory knows."""
        paths = [path for _, path in self._files]
        return [_status(path) for path in (*paths, *dict.fromkeys(each.parent for each in paths))]

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for name, path in self._files:
            try:
                source = path.read_bytes()
            except OSError:
                return ""
            digest.update(f"{name} {len(source)}\n".encode())
            digest.update(source)
        return digest.hexdigest() if self._files else ""


def _status(path: Path) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


SOURCES = Sources(PACKAGES)
"""Those of this process: taken when it first imports a kernel."""


def versions() -> tuple[object, ...]:
    """Of all that has a part in compiling."""
    names = ("numba", "llvmlite", "numpy")
    llvm = importlib.import_module("llvmlite.binding").llvm_version_info
    return (*(importlib.import_module(each).__version__ for each in names), llvm, sys.version)


def settings() -> list[tuple[str, str]]:
    """Numba's settings, as they are now."""
    config = importlib.import_module("numba.core.config")
    config.reload_config()  # the compiler begins with this too: the environment may have changed
    names: list[str] = list(config.__dict__)
    used = [each for each in names if each.isupper() and not _NOT_IN_CODE.match(each)]
    return sorted((each, repr(getattr(config, each))) for each in used)
