"""Settings that all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

# No deadlines: the first example that meets a kernel may compile it. The blob of a failure is
# printed, so that one seen on another machine can be replayed here (`reproduce_failure`).
settings.register_profile("dev", max_examples=30, deadline=None, print_blob=True)
settings.register_profile("ci", max_examples=60, deadline=None, print_blob=True, derandomize=False)
settings.load_profile("ci" if os.environ.get("CI") else "dev")
