"""Settings that all tests share."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# No deadlines: the first example that meets a kernel may compile it. The blob of a failure is
# printed, so that one seen on another machine can be replayed here (`reproduce_failure`).
settings.register_profile("dev", max_examples=30, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=60, deadline=None, print_blob=True, derandomize=False)
settings.load_profile("ci" if os.environ.get("CI") else "dev")

# A shell's background job ignores Ctrl-C, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

_NOBODY = 65534


@pytest.fixture
def unprivileged() -> Iterator[Path]:
    """A directory of its own, for a test of permissions; root, whom none stop, becomes nobody."""
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    directory = Path(tempfile.mkdtemp())
    if root:
        os.chown(directory, _NOBODY, _NOBODY)
        os.seteuid(_NOBODY)
    yield directory
    if root:
        os.seteuid(0)
    shutil.rmtree(directory)
