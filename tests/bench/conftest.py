"""A run of the bench on the tiny model, with npbert alone: no peer is installed here."""

from __future__ import annotations

import pytest

from npbert.bench.session import Session, Settings

ALONE = Settings(engines=("npbert", "npbert-tanh"), threads=(1, 2), rounds=2, pause=0, quick=True)


@pytest.fixture(scope="module")
def session():
    """Processes of npbert, started when they are needed."""
    with Session(ALONE) as opened:
        yield opened
