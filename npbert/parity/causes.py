"""Every known mistake in one table. Where two explain the same numbers, the first is named."""

from __future__ import annotations

from typing import Final

from npbert.parity.mistakes import (
    activation,
    attention,
    dense,
    embeddings,
    layers,
    mask,
    norm,
    pooler,
    precision,
    residual,
)
from npbert.parity.mistakes.cause import Cause

CAUSES: Final[dict[str, Cause]] = {
    cause.key: cause
    for cause in (
        precision.CONSTANTS,
        *activation.CAUSES,
        *norm.CAUSES,
        *embeddings.CAUSES,
        *attention.CAUSES,
        *mask.CAUSES,
        *dense.CAUSES,
        *layers.CAUSES,
        *residual.CAUSES,
        *pooler.CAUSES,
        *precision.CAUSES,
    )
}
"""Key -> mistake."""
