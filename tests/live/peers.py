"""The processes that the real libraries run in."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
TIMEOUT = 420.0

MODULES = {
    "tensorflow": "live.keras_worker",
    "jax": "live.keras_worker",
    "torch": "live.torch_worker",
}
KERAS = ("tensorflow", "jax")

# One thread each: there are three of them, and sums that threads share differ from run to run.
_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "TF_NUM_INTRAOP_THREADS": "1",
    "TF_NUM_INTEROP_THREADS": "1",
    "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
    "HF_HUB_OFFLINE": "1",
    "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
}


class Peers:
    """A process for each of ``modules``, all started at once.

    Args:
        work: where they read and leave files.
        seed: what they draw from.
        modules: a library -> what its process runs, with its name, ``work`` and ``seed``.
    """

    def __init__(self, work: Path, seed: int, modules: Mapping[str, str] = MODULES) -> None:
        self.work = work
        self._running = {name: self._start(name, of, seed) for name, of in modules.items()}

    def _start(self, name: str, module: str, seed: int) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", module, name, str(self.work), str(seed)]
        environment = {**os.environ, **_ENVIRONMENT}
        if name in KERAS:
            environment["KERAS_BACKEND"] = name
        with self._log(name).open("wb") as log:
            return subprocess.Popen(command, env=environment, stdout=log, stderr=log, cwd=ROOT)

    def _log(self, name: str) -> Path:
        return self.work / f"{name}.log"

    def wait(self, name: str) -> Path:
        """The folder of a process that has ended well; it is AssertionError if it has not."""
        code = self._running[name].wait(timeout=TIMEOUT)
        if code:
            tail = self._log(name).read_text(errors="replace")[-4000:]
            raise AssertionError(f"the {name} process ended with {code}:\n{tail}")
        return self.work

    def arrays(self, name: str, what: str) -> dict[str, NDArray[Any]]:
        """What the process left under this name with `save`."""
        return load(self.wait(name), f"{what}@{name}")

    def stop(self) -> None:
        """End whatever still runs, when the tests ended early."""
        for process in self._running.values():
            if process.poll() is None:
                process.kill()
            process.wait()


def save(work: Path, stem: str, arrays: dict[str, NDArray[Any]]) -> None:
    """Write arrays to ``STEM.npz``."""
    np.savez(work / f"{stem}.npz", **arrays)


def load(work: Path, stem: str) -> dict[str, NDArray[Any]]:
    """Read what `save` wrote."""
    with np.load(work / f"{stem}.npz") as file:
        return dict(file)
