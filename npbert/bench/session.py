"""One run of the bench: its settings, its scratch directory, and the engines' processes."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Self

from npbert.bench import models
from npbert.bench.engines import ENGINES, Entry, why_not
from npbert.bench.process import EngineError, EngineProcess
from npbert.progress import progress

NOT_FORCED: Final = "cannot be kept from AVX-512"
Key = tuple[str, Path, int, int]
"""Engine, model, threads, and the number of the caller or -1."""


@dataclass(frozen=True)
class Settings:
    """What was asked for, and stands in every report.

    Args:
        engines: who races.
        threads: the numbers of threads, one race each, interleaved.
        rounds: turns of each engine.
        pause: seconds between turns, at least.
        isa: "avx2" keeps engines from AVX-512.
        seed: of the token ids, lengths and texts.
        quick: tiny work, to see that everything runs.
    """

    engines: tuple[str, ...]
    threads: tuple[int, ...]
    rounds: int = 15
    pause: float = 0.04
    isa: str | None = None
    seed: int = 2026
    quick: bool = False


@dataclass
class Engines:
    """What became of the engines: settings they reported, and why some did not start."""

    settings: dict[str, dict[str, str]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)


class Session:
    """Engines' processes by what they have loaded; ``with`` ends them all and cleans up.

    ``entries`` are the engines asked for that can run here; the others are noted as absent.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings, self.engines = settings, Engines()
        self._folder = tempfile.TemporaryDirectory(prefix="npbert-bench-")
        self.scratch = Path(self._folder.name)
        self._running: dict[Key, EngineProcess] = {}
        self._failed: dict[Key, str] = {}
        self._yardstick: EngineProcess | None = None
        self._before: Any = None  # what SIGTERM did before
        self.entries: list[Entry] = []
        for entry in (ENGINES[name] for name in settings.engines):
            cannot = NOT_FORCED if settings.isa and entry.avx2 is None else None
            if reason := why_not(entry) or cannot:
                self.engines.absent[entry.name] = reason
            else:
                self.entries.append(entry)

    def model(self, name: str) -> Path:
        """The directory of a model."""
        return models.find(name, self.scratch)

    def yardstick(self) -> EngineProcess:
        """The process that measures the FMA peak."""
        if self._yardstick is None:
            most = max(self.settings.threads)
            log = self.scratch / "machine.log"
            self._yardstick = EngineProcess(None, most, log, isa=self.settings.isa)
        return self._yardstick

    def engine(self, entry: Entry, model: Path, threads: int, caller: int = -1) -> EngineProcess:
        """An engine's process with a model loaded; started when it is first asked for.

        Args:
            entry: the engine.
            model: a directory.
            threads: of the engine.
            caller: the number of one of several processes that share the CPUs, one each.

        Raises:
            EngineError: it does not start or load, now or before.
        """
        key = (entry.name, model, threads, caller)
        if key in self._failed:
            raise EngineError(self._failed[key])
        if key not in self._running:
            log = self.scratch / f"{entry.name}-{model.name}-{threads}-{caller}.log"
            cpus = cpus_for(threads, caller)
            process = EngineProcess(entry, threads, log, isa=self.settings.isa, cpus=cpus)
            try:
                self._load(process, entry, model, threads)
            except EngineError as error:
                process.stop()
                self._failed[key] = str(error)
                raise
            self._running[key] = process
        return self._running[key]

    def _load(self, process: EngineProcess, entry: Entry, model: Path, threads: int) -> None:
        answer = process.ask(
            "load",
            model=str(model),
            threads=threads,
            activation=entry.activation,
            scratch=str(self.scratch),
        )
        self.engines.settings.setdefault(entry.name, answer["settings"])

    def release(self, *processes: EngineProcess) -> None:
        """End these engines, to give their memory to the next ones."""
        for key, process in list(self._running.items()):
            if process in processes:
                process.stop()
                del self._running[key]

    def keep(self, model: Path) -> None:
        """End the engines that hold another model, and those that are one of several callers."""
        running = self._running.items()
        self.release(*(p for (_, held, _, caller), p in running if held != model or caller >= 0))

    def bar(self, title: str, steps: int) -> AbstractContextManager[Callable[[int], None]]:
        """A progress bar on a terminal; elsewhere a line that says what begins."""
        if not sys.stderr.isatty():
            print(f"npbert bench: {title}", file=sys.stderr)
        return progress(title, steps, None)

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._before = signal.signal(signal.SIGTERM, _end)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGTERM, self._before)
        self.release(*self._running.values())
        if self._yardstick:
            self._yardstick.stop()
        self._folder.cleanup()


def _end(number: int, frame: object) -> None:
    """``kill`` ends the engines and cleans up, too."""
    sys.exit(128 + number)


def cpus_for(threads: int, caller: int = -1) -> Sequence[int] | None:
    """The CPUs of an engine: as many as it has threads, some libraries count nothing else.

    Callers get one each. None where there are not more CPUs than threads, or they cannot be chosen.
    """
    if not hasattr(os, "sched_getaffinity"):
        return None
    usable = sorted(os.sched_getaffinity(0))
    if caller >= 0:
        return [usable[caller % len(usable)]]
    return usable[:threads] if threads < len(usable) else None
