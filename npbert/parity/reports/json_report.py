"""Every number of a report, as JSON.

JSON has no NaN and no infinity: they are the strings ``"NaN"``, ``"Infinity"`` and ``"-Infinity"``,
which Python's ``float`` reads. What was not measured is null.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from npbert.parity.types import Report

SCHEMA_VERSION: Final = 1


def render(report: Report) -> str:
    """One object, ASCII alone: ``schema_version`` and the fields of `Report`."""
    fields = {"schema_version": SCHEMA_VERSION, **report.to_dict()}
    return json.dumps(plain(fields), indent=1, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """The value as JSON can hold it."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
