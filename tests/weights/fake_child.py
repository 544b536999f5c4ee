"""A process in the place of the one that reads HDF5: it answers as a test says."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from npbert.weights import h5_process

_SCRIPT = """
import os, signal, struct, sys, time
def send(data):
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()
def head(text):
    data = text if isinstance(text, bytes) else text.encode()
    send(len(data).to_bytes(4, "little") + data)
send(b"+")
for line in sys.stdin.buffer:
    {}
"""


@contextmanager
def answering(monkeypatch: pytest.MonkeyPatch, does: str) -> Iterator[None]:
    """Meanwhile the child is a script that runs ``does`` at each request."""
    command = [sys.executable, "-I", "-c", _SCRIPT.format(does)]
    with replaced(monkeypatch, lambda: command):
        yield


@contextmanager
def replaced(monkeypatch: pytest.MonkeyPatch, command: Callable[[], list[str]]) -> Iterator[None]:
    h5_process.stop()
    with monkeypatch.context() as patch:
        patch.setattr(h5_process, "command", command)
        yield
    h5_process.stop()


def heading(value: object) -> str:
    """What makes the script answer with this head."""
    return f"head({json.dumps(value)!r})"
