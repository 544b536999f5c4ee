"""An engine's process, seen from the parent."""

from __future__ import annotations

import contextlib
import json
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, Self

import npbert
from npbert.bench.engines import NPBERT_AVX2, Entry

PATIENCE: Final = 900.0
"""Seconds that one answer may take; the longest is a first call that compiles."""

_QUIET: Final = 0.010  # seconds in which a quiet process uses less than a tenth of it
_RESTLESS: Final = 0.5  # seconds after which we no longer wait for quiet


class EngineError(Exception):
    """What an engine said in place of an answer."""


class EngineProcess:
    """One engine in a process of its own, from the start of the run to its end.

    Args:
        entry: the engine, or None for a process that measures the machine.
        threads: how many it may use.
        log: where what it prints goes.
        isa: "avx2" keeps it from AVX-512.
        cpus: the CPUs it may run on; None for all that the parent has.
    """

    def __init__(
        self,
        entry: Entry | None,
        threads: int,
        log: Path,
        *,
        isa: str | None = None,
        cpus: Sequence[int] | None = None,
    ) -> None:
        self.threads, self._log = threads, log
        self.name = entry.name if entry else "machine"
        command = [sys.executable, "-m", "npbert.bench.worker", self.name]
        with log.open("wb") as errors:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment(entry, threads, isa),
                start_new_session=True,  # Ctrl-C is the parent's to handle
            )
        if cpus and hasattr(os, "sched_setaffinity"):
            os.sched_setaffinity(self._process.pid, cpus)
        self._buffer = b""
        self._awaited = 1  # the first answer says that it has started

    def ask(self, do: str, **arguments: Any) -> dict[str, Any]:
        """The answer to a command.

        Raises:
            EngineError: it failed, ended or took longer than `PATIENCE`.
        """
        self.send(do, **arguments)
        return self.answer()

    def send(self, do: str, **arguments: Any) -> None:
        """Send a command, and wait for `answer` later."""
        assert self._process.stdin is not None
        line = json.dumps({"do": do, **arguments}) + "\n"
        try:
            self._process.stdin.write(line.encode())
            self._process.stdin.flush()
        except OSError:
            raise EngineError(self._last_words()) from None
        self._awaited += 1

    def answer(self) -> dict[str, Any]:
        """The answer to the last command; see `ask`."""
        answer: dict[str, Any] = {}
        while self._awaited:
            answer = json.loads(self._line())
            self._awaited -= 1
            if "error" in answer:
                raise EngineError(str(answer["error"]))
        return answer

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        descriptor, until = self._process.stdout.fileno(), time.monotonic() + PATIENCE
        while b"\n" not in self._buffer:
            ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
            if not ready:
                self.stop()
                raise EngineError(f"no answer within {PATIENCE:.0f} s")
            if not (read := os.read(descriptor, 1 << 16)):
                raise EngineError(self._last_words())
            self._buffer += read
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def _last_words(self) -> str:
        code = self._process.wait(10)
        printed = self._log.read_text(errors="replace").strip().splitlines()
        return f"the process ended with {code}: {printed[-1] if printed else 'no message'}"

    def settle(self, pause: float) -> None:
        """Wait until its threads no longer spin: ``pause`` seconds, and then until it is quiet."""
        time.sleep(pause)
        until = time.monotonic() + _RESTLESS
        while (before := self._cpu_time()) is not None and time.monotonic() < until:
            time.sleep(_QUIET)
            if (self._cpu_time() or before) - before < _QUIET / 10:
                break

    def _cpu_time(self) -> float | None:
        """Seconds of CPU that it has used so far; None where it cannot be known."""
        if sys.platform != "linux":
            return None
        try:  # clock_getcpuclockid(3)
            return time.clock_gettime((~self._process.pid << 3) | 2)
        except OSError:
            return None

    def stop(self) -> None:
        """End it."""
        self._process.kill()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe and not pipe.closed:
                with contextlib.suppress(OSError):  # what was still to be written
                    pipe.close()
        self._process.wait()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


def environment(entry: Entry | None, threads: int, isa: str | None) -> dict[str, str]:
    """What tells the libraries how many threads to use, to stay off the net and off AVX-512."""
    names = ("OMP", "MKL", "OPENBLAS", "NUMEXPR", "RAYON", "NPBERT")
    root = str(Path(npbert.__file__).parents[1])
    forced = (entry and entry.avx2) or NPBERT_AVX2
    return {
        **os.environ,
        **{f"{name}_NUM_THREADS": str(threads) for name in names},
        "TF_CPP_MIN_LOG_LEVEL": "3",
        "CUDA_VISIBLE_DEVICES": "-1",
        "JAX_PLATFORMS": "cpu",
        "HF_HUB_OFFLINE": "1",
        "TOKENIZERS_PARALLELISM": "true",
        "PYTHONPATH": os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])]),
        **(forced if isa else {}),
    }
