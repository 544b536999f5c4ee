"""What the tests of ops share: how inputs are drawn, and a kernel held against its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from tolerances import assert_within

from npbert.ops.registry import OPS
from npbert.simd.gemm import DEPTH

KINDS: dict[str, Callable[[np.random.Generator, tuple[int, ...]], Any]] = {
    "normal": lambda random, shape: random.standard_normal(shape),
    "large": lambda random, shape: random.standard_normal(shape) * 1e4,
    "tiny": lambda random, shape: random.standard_normal(shape) * 1e-30,
    "subnormal": lambda random, shape: random.standard_normal(shape) * 1e-41,
    "far from zero": lambda random, shape: random.standard_normal(shape) + 1e3,
    "of all sizes": lambda random, shape: (
        random.standard_normal(shape) * 10.0 ** random.uniform(-6, 6, shape)
    ),
    "zeros of both signs": lambda random, shape: random.choice([0.0, -0.0], shape),
    "mostly zero": lambda random, shape: (
        random.standard_normal(shape) * (random.random(shape) < 0.2)
    ),
}
"""Ways to fill an array; none overflows in a product of two."""

sizes = st.integers(1, 50)
"""A dimension: on both sides of one, two and three vectors, and of every tile's edge."""

depths = sizes | st.sampled_from([DEPTH - 1, DEPTH, DEPTH + 1, 2 * DEPTH, 255, 256, 257, 600])
"""What a product sums over: also on both sides of the contract's cut."""


def dimensions(count: int) -> st.SearchStrategy[list[int]]:
    """Sizes that all differ, so that a wrong transpose cannot pass."""
    return st.lists(sizes, min_size=count, max_size=count, unique=True)


@st.composite
def drawers(draw: Any, kinds: tuple[str, ...] = tuple(KINDS)) -> Callable[..., NDArray[np.float32]]:
    """A function that makes float32 arrays of one kind, the same ones for the same example."""
    kind = draw(st.sampled_from(kinds))
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return lambda *shape: np.asarray(KINDS[kind](random, shape), np.float32)


def masks(*shape: int) -> st.SearchStrategy[NDArray[np.int32]]:
    """Padding masks: any nonzero value keeps."""
    return hnp.arrays(np.int32, shape, elements=st.sampled_from([0, 1, 1, 2, -1]))


def numbers(limit: float | None = None, **special: bool) -> st.SearchStrategy[float]:
    """Any float32, subnormal and signed zero too; NaN and infinity where asked for."""
    bounds = {} if limit is None else {"min_value": -limit, "max_value": limit}
    special = {"allow_nan": False, "allow_infinity": False, **special}
    return st.floats(width=32, **bounds, **special)


def exactly(name: str, *arguments: Any, **options: Any) -> Any:
    """The definition of an op, in float64."""
    wide = [np.float64(x) if np.asarray(x).dtype.kind == "f" else x for x in arguments]
    with np.errstate(all="ignore"):  # infinities and NaN are let through, not warned of
        return OPS[name].definition(*wide, **options)


def compiled(name: str, *arguments: Any, **options: Any) -> Any:
    """The kernel of an op, behind the signature of its definition."""
    return OPS[name].compiled(*arguments, **options)


def check(name: str, *arguments: Any, bound: Any, **options: Any) -> None:
    """The kernel within ``bound`` of its definition in float64."""
    actual = compiled(name, *arguments, **options)
    assert actual.dtype == np.float32
    assert_within(actual, exactly(name, *arguments, **options), bound)
