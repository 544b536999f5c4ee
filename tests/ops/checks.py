"""What the tests of ops share: how inputs are drawn, and a kernel held against its definition."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray
from ops.bounds import Bounds
from precisions import rounded
from tolerances import assert_within

from npbert.ops.registry import OPS
from npbert.simd.gemm import DEPTH
from npbert.simd.precision import FLOAT32, Precision


class _Sizes(NamedTuple):
    """How large numbers are that are `KINDS` of; a sum of products must not overflow."""

    large: float
    tiny: float
    subnormal: float
    far: float
    decades: float


_WIDE = _Sizes(1e4, 1e-30, 1e-41, 1e3, 6)
_SIZES = {
    "float32": _WIDE,
    "bfloat16": _WIDE,  # which has float32's exponents
    "float64": _Sizes(1e40, 1e-130, 1e-312, 1e3, 40),
    "float16": _Sizes(10, 1e-4, 1e-6, 8, 1),
}

KINDS: dict[str, Callable[[np.random.Generator, tuple[int, ...], _Sizes], Any]] = {
    "normal": lambda random, shape, _: random.standard_normal(shape),
    "large": lambda random, shape, sizes: random.standard_normal(shape) * sizes.large,
    "tiny": lambda random, shape, sizes: random.standard_normal(shape) * sizes.tiny,
    "subnormal": lambda random, shape, sizes: random.standard_normal(shape) * sizes.subnormal,
    "far from zero": lambda random, shape, sizes: random.standard_normal(shape) + sizes.far,
    "of all sizes": lambda random, shape, sizes: (
        random.standard_normal(shape) * 10.0 ** random.uniform(-sizes.decades, sizes.decades, shape)
    ),
    "zeros of both signs": lambda random, shape, _: random.choice([0.0, -0.0], shape),
    "mostly zero": lambda random, shape, _: (
        random.standard_normal(shape) * (random.random(shape) < 0.2)
    ),
}
"""Ways to fill an array."""

sizes = st.integers(1, 50)
"""A dimension: on both sides of one, two and three vectors, and of every tile's edge."""

depths = sizes | st.sampled_from([DEPTH - 1, DEPTH, DEPTH + 1, 2 * DEPTH, 255, 256, 257, 600])
"""What a product sums over: also on both sides of the contract's cut."""


def dimensions(count: int) -> st.SearchStrategy[list[int]]:
    """Sizes that all differ, so that a wrong transpose cannot pass."""
    return st.lists(sizes, min_size=count, max_size=count, unique=True)


@st.composite
def drawers(
    draw: Any, precision: Precision = FLOAT32, kinds: tuple[str, ...] = tuple(KINDS)
) -> Callable[..., NDArray[Any]]:
    """A function that makes arrays of one kind, the same ones for the same example.

    They are what ops of a precision return; ``precision.weights`` of them, what it stores.
    """
    kind, sizes = draw(st.sampled_from(kinds)), _SIZES[precision.stored]
    random = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    return lambda *shape: rounded(
        np.asarray(KINDS[kind](random, shape, sizes), precision.real), precision
    )


def masks(*shape: int) -> st.SearchStrategy[NDArray[np.int32]]:
    """Padding masks: any nonzero value keeps."""
    return hnp.arrays(np.int32, shape, elements=st.sampled_from([0, 1, 1, 2, -1]))


def numbers(
    *shape: int, precision: Precision = FLOAT32, limit: float | None = None, **special: bool
) -> st.SearchStrategy[NDArray[Any]]:
    """Arrays of any numbers that ops of a precision return, subnormal and signed zero too.

    NaN and infinity where asked for; ``limit`` bounds some of them.
    """
    kind = {"float16": np.float16, None: precision.real_dtype}.get(precision.rounded, np.float32)
    special = {"allow_nan": False, "allow_infinity": False, **special}
    width = np.dtype(kind).itemsize * 8
    elements = st.floats(width=width, **special)
    if limit is not None:
        elements |= st.floats(-limit, limit, width=width)
    arrays = hnp.arrays(kind, shape, elements=elements)
    made = arrays.map(lambda x: rounded(x.astype(precision.real), precision))
    return made if special["allow_infinity"] else made.filter(lambda x: not np.isinf(x).any())


def exactly(name: str, *arguments: Any, **options: Any) -> Any:
    """The definition of an op, in float64."""
    wide = [np.float64(x) if np.asarray(x).dtype.kind == "f" else x for x in arguments]
    with np.errstate(all="ignore"):  # infinities and NaN are let through, not warned of
        return OPS[name].definition(*wide, **options)


def compiled(name: str, *arguments: Any, precision: Precision = FLOAT32, **options: Any) -> Any:
    """The kernel of an op, behind the signature of its definition."""
    return OPS[name].compiled(*arguments, precision=precision, **options)


def check(
    name: str, *arguments: Any, bound: Any, precision: Precision = FLOAT32, **options: Any
) -> None:
    """The kernel within ``bound`` of its definition in float64, and then rounded as ops are."""
    actual = compiled(name, *arguments, precision=precision, **options)
    near = Bounds(precision).rounded(exactly(name, *arguments, **options), bound)
    assert_near(actual, near, precision)


def assert_near(actual: NDArray[Any], near: Any, precision: Precision) -> None:
    """A kernel's result is what it should be, and of the right type."""
    assert actual.dtype == precision.real
    assert_within(actual, near.value, near.bound)
