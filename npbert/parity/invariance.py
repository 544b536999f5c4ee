"""Does a source give the same bits, whatever else is in the batch and however it is run?

Each row of a batch is a text of its own, so it should not matter which rows lie beside it, in which
order, how far they are padded, how many threads compute them, and how often they did so before.
Many engines choose another order of summation by the shape of a batch, and round otherwise then.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any, Final

from npbert.errors import InputError
from npbert.parity import inputs as batches
from npbert.parity.changes import Change, Tried
from npbert.parity.sources.wrap import Model, as_source
from npbert.parity.texts import TEXTS
from npbert.parity.types import Inputs

POSITIONS: Final = 256
"""B x T of the batch, where the caller brings no inputs: every row is also run alone."""


@dataclasses.dataclass(frozen=True)
class Invariance:
    """What `invariance` found."""

    name: str
    kind: str
    changes: Sequence[Change]
    environment: Mapping[str, str] = dataclasses.field(default_factory=dict)
    notes: Sequence[str] = ()
    """What could not be tried, and why."""

    @property
    def bit_equal(self) -> bool:
        """Whether no change changes a bit."""
        return all(change.bit_equal for change in self.changes)

    def to_dict(self) -> dict[str, Any]:
        """Plain data, for JSON."""
        return dataclasses.asdict(self) | {"bit_equal": self.bit_equal}

    def __str__(self) -> str:
        lines = [f"{self.name} ({self.kind})", *map(_line, self.changes)]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])


def invariance(
    source: Model, texts: Sequence[str] | None = None, inputs: Inputs | None = None
) -> Invariance:
    """Run a source in several ways that should make no difference.

    Args:
        source: see `npbert.parity.sources.wrap.Model`.
        texts: to encode, and to make inputs of. Without them and ``inputs``,
            `npbert.parity.texts.TEXTS`.
        inputs: ``token_ids``, ``segment_ids`` and ``padding_mask``, (B, T).

    Raises:
        InputError: the source is a record, or shows nothing.
    """
    side = as_source(source)
    if side.recorded is not None:
        raise InputError(
            "a record cannot be run again.",
            where=side.name,
            fix="take the source that it was recorded from",
        )
    if texts is None and inputs is None:
        texts = TEXTS
    tokens = side.tokenize(texts) if texts else None
    batch = batches.given(inputs) if inputs else batches.of_one(side, tokens, POSITIONS)
    tried = Tried(side, batch.inputs if batch else None, texts or ())
    if not tried.base:
        raise InputError(
            "the source shows nothing that could be compared.",
            where=side.name,
            expected="a stage of the forward pass, or the vectors of texts",
        )
    changes = [tried.repeated(), tried.alone(), tried.reversed(), *tried.padding()]
    changes += tried.threads()
    return Invariance(side.name, side.kind, changes, dict(side.environment), tried.notes)


def _line(change: Change) -> str:
    said = f"{change.what + ':':<15}{change.how}: "
    if change.bit_equal:
        return f"{said}bit-equal at {change.stages} stages"
    return (
        f"{said}differs from {change.first} on, by {change.max_abs:.2e} at most"
        f" ({change.stage}), {change.ulp_max:.3g} ULP"
    )
