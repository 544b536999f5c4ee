"""The bar on stderr that long work shows."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final

A_MOMENT: Final = 1.0
"""Seconds of work after which a bar appears by itself."""


@contextmanager
def progress(
    title: str, total: int | None, show: bool | None, *, done: int = 0
) -> Generator[Callable[[int], None]]:
    """Yield ``advance(done)``, which moves a bar of ``total`` steps.

    Args:
        title: what stands before the bar.
        total: steps in all; None where nobody knows.
        show: True shows it at once, False never; None shows it when stderr is a terminal and the
            work is not done within a moment.
        done: steps that were done before.
    """
    if show is False or (show is None and not sys.stderr.isatty()):
        yield lambda done: None
        return
    bar = _Bar(title, total, done, delay=0.0 if show else A_MOMENT)
    try:
        yield bar.advance
    finally:
        bar.stop()


class _Bar:
    """A bar that waits ``delay`` seconds before it appears; rich is imported when it does."""

    def __init__(self, title: str, total: int | None, done: int, delay: float) -> None:
        self._title, self._total, self._before, self._done = title, total, done, done
        self._begun = time.monotonic()
        self._appears = self._begun + delay
        self._shown: Any = None

    def advance(self, done: int) -> None:
        self._done += done
        if self._shown is None and time.monotonic() >= self._appears:
            self._appear()
        if self._shown is not None:
            seconds = max(time.monotonic() - self._begun, 1e-9)
            rate = f"{(self._done - self._before) / seconds:,.0f}/s"
            self._shown.update(self._task, completed=self._done, rate=rate)

    def _appear(self) -> None:
        from rich.console import Console
        from rich.progress import MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        rate = TextColumn("{task.fields[rate]}")
        columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), rate)
        self._shown = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True))
        self._task = self._shown.add_task(
            self._title, total=self._total, completed=self._before, rate=""
        )
        self._shown.start()

    def stop(self) -> None:
        if self._shown is not None:
            self._shown.stop()
