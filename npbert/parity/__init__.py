"""Numbers against numbers: whether two BERTs agree, where they part, and why.

=================== ==========================================================================
`open_source`       one side, by a short spec: a model, a bundle, a live framework
`compare`           two sides against each other -> a report
`record`            a side written down as a bundle, which is a side itself
`assert_parity`     a model against a bundle, in a test
`assert_close`      an array against another, in a test
`invariance`        a side against itself, run in other ways
=================== ==========================================================================
"""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from npbert.parity.compare import compare as compare
    from npbert.parity.invariance import invariance as invariance
    from npbert.parity.record import record as record
    from npbert.parity.sources import open_source as open_source
    from npbert.parity.testing import assert_close as assert_close
    from npbert.parity.testing import assert_parity as assert_parity

# Loaded when first asked for, so that an import of npbert is cheap.
_HOME = {
    "assert_close": "testing",
    "assert_parity": "testing",
    "compare": "compare",
    "invariance": "invariance",
    "open_source": "sources",
    "record": "record",
}

__all__ = ["assert_close", "assert_parity", "compare", "invariance", "open_source", "record"]


class _Package(ModuleType):
    """Keeps functions public whose submodule has their name."""

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _HOME and isinstance(value, ModuleType):
            value = getattr(value, name)  # an import has just bound the submodule itself
        super().__setattr__(name, value)


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'npbert.parity' has no attribute {name!r}")
    value = getattr(importlib.import_module(f"npbert.parity.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)


sys.modules[__name__].__class__ = _Package
