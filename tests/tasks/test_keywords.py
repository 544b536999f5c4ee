"""Keywords that nobody knows."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from npbert.errors import ConfigError
from npbert.tasks.keywords import known_keywords


class Mill:
    @known_keywords()
    def __init__(self, river: str, *, wheels: int = 2) -> None:
        self.turned = (river, wheels)

    @known_keywords("speed", "depth")
    def turn(self, stones: int, **options: Any) -> tuple[int, dict[str, Any]]:
        """Turn the stones."""
        return stones, options


def test_known_ones_go_through() -> None:
    mill = Mill("Lea", wheels=3)
    assert mill.turned == ("Lea", 3)
    assert mill.turn(4, speed=5) == (4, {"speed": 5})
    assert mill.turn(stones=4) == (4, {})


def test_unknown_ones_are_refused_with_the_valid_ones_and_the_nearest() -> None:
    with pytest.raises(ConfigError, match=r"unknown argument 'whels'") as caught:
        Mill("Lea", whels=3)  # type: ignore[call-arg]
    assert caught.value.where == "Mill(...)"
    assert caught.value.expected == "river, wheels"
    assert caught.value.fix == "did you mean 'wheels'?"
    with pytest.raises(ConfigError, match=r"unknown argument 'wind'") as caught:
        Mill("Lea").turn(4, wind=1)
    assert caught.value.where == "Mill.turn(...)"
    assert caught.value.expected == "stones, speed, depth"
    assert caught.value.fix == "remove it"


def test_also_where_an_argument_is_missing() -> None:
    with pytest.raises(ConfigError, match="unknown argument 'rocks'"):
        Mill("Lea").turn(rocks=4)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="missing 1 required positional argument: 'stones'"):
        Mill("Lea").turn()  # type: ignore[call-arg]


def test_the_method_keeps_its_signature_and_its_text() -> None:
    assert str(inspect.signature(Mill.turn)).startswith("(self, stones: 'int', **options: 'Any')")
    assert Mill.turn.__doc__ == "Turn the stones."
