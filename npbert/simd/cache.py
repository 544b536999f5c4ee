"""Compiled kernels on disk (placeholder: nothing is kept yet)."""

from __future__ import annotations

from typing import Any


def attach(dispatcher: Any, key: tuple[str, ...]) -> None:
    """Give ``dispatcher`` a cache."""


def has(dispatcher: Any, signature: str) -> bool:
    """Whether the compiled code is on disk."""
    return False
