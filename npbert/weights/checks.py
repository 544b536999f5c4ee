"""Complete, of the right shape, finite: what every weights file must be, whatever its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from npbert.caller import warn_caller
from npbert.errors import WeightError
from npbert.weights.dtypes import largest, rounded
from npbert.weights.names import Array

_SHOWN: Final = 5
_NORMAL: Final = float(np.finfo(np.float32).smallest_normal)
_BELONG: Final = "check that the weights and config.json belong together"

Stored = TypeVar("Stored")


class Place(NamedTuple):
    """Where one tensor is in a file.

    Args:
        name: the canonical name.
        key: its name in the file.
        shape: its shape in the file.
    """

    name: str
    key: str
    shape: tuple[int, ...]


def collect(
    places: Sequence[Place],
    stored: Mapping[str, Stored],
    *,
    shape_of: Callable[[Stored], tuple[int, ...]],
    read: Callable[[Place, Stored], Array],
    where: Path | str,
    dtype: str = "float32",
) -> dict[str, Array]:
    """Read every tensor of ``places`` once, after all names and shapes have been checked.

    Args:
        places: what the config asks for.
        stored: what the file has, by its name there; heads that BERT ignores are already left out.
        shape_of: the shape of one stored tensor, without reading its data.
        read: one stored tensor in the file's own dtype, in Keras's shape.
        where: the file, for the messages.
        dtype: of the result; see `rounded`. Each tensor is there in two dtypes only by itself.

    Raises:
        WeightError: a tensor is missing, extra, of the wrong shape, not finite, next to zero or too
            large for ``dtype``.
    """
    _check_names(places, list(stored), where)
    for place in places:
        _check_shape(place, shape_of(stored[place.key]), where)
    plain: list[str] = []

    def one(place: Place, array: Array) -> Array:
        if place.name.endswith("/gamma") and _is_plain(array):
            plain.append(place.name)
        return checked(place, array, dtype, where)

    arrays = {place.name: one(place, read(place, stored[place.key])) for place in places}
    if plain:
        warn_caller(
            f"{where}: {_shown(plain)}: the same number everywhere, which training does not leave;"
            " the weights may be damaged"
        )
    return arrays


def collect_given(
    shapes: Mapping[str, tuple[int, ...]], weights: Mapping[str, npt.ArrayLike], dtype: str
) -> dict[str, Array]:
    """Copies of the arrays that a user gives, as `collect` makes them of a file's.

    Args:
        shapes: canonical name -> shape, of all that must be given.
        weights: canonical name -> array.
        dtype: as in `collect`.

    Raises:
        WeightError: as `collect`; or something given is no array of real numbers.
    """

    def read(_: Place, array: Array) -> Array:
        # Integers by float64, which holds what a weight can be.
        return array.copy() if array.dtype.kind in "fV" else array.astype(np.float64)

    return collect(
        [Place(name, name, shape) for name, shape in shapes.items()],
        {name: _real_array(value, name) for name, value in weights.items()},
        shape_of=np.shape,
        read=read,
        where="the weights given",
        dtype=dtype,
    )


def checked(place: Place, array: Array, dtype: str, where: Path | str) -> Array:
    """One tensor in ``dtype``, once its values have been looked at in its own.

    Raises:
        WeightError: as `check_values` and `rounded`.
    """
    check_values(place, array, where)
    return rounded(array, dtype, place.name, f"{where}: {place.key}")


def check_values(place: Place, array: Array, where: Path | str) -> None:
    """Refuse numbers that no trained tensor has.

    Raises:
        WeightError: one is not finite, or the largest is below the normal numbers of float32, which
            is how integers look when they are taken for floats.
    """
    most = largest(array)
    if not np.isfinite(most):
        raise _not_finite(place, array, where)
    if 0 < most < _NORMAL:
        raise WeightError(
            f"{place.name!r} has only values next to zero.",
            where=f"{where}: {place.key}",
            received=f"{most:g} at most",
            expected="numbers that float32 holds in full, or zeros",
            fix="get the weights again; these may be integers that are taken for floats",
        )


def unique_keys(keys: Iterable[tuple[str, str]], where: Path | str) -> dict[str, str]:
    """``(key as the table has it, key in the file)`` pairs as a dictionary.

    Raises:
        WeightError: two keys of the file mean the same tensor.
    """
    unique: dict[str, str] = {}
    for key, written in keys:
        if key in unique:
            raise WeightError(
                f"two tensors of the file both mean {key!r}.",
                where=where,
                received=f"{unique[key]!r} and {written!r}",
                expected="every tensor once",
                fix="remove one of them",
            )
        unique[key] = written
    return unique


def _real_array(value: npt.ArrayLike, name: str) -> npt.NDArray[np.generic]:
    """``value`` as an array of real numbers.

    Raises:
        WeightError: it holds something else, or is not rectangular.
    """
    try:
        array = np.asarray(value)
        received = f"dtype {array.dtype}"
    except ValueError as error:
        array, received = np.empty(0, object), str(error)
    # bfloat16 and its like, from ml_dtypes, have a kind of their own.
    if array.dtype.kind in "fiu" or array.dtype.name.startswith("bfloat16"):
        return array
    raise WeightError(
        f"{name!r} does not hold real numbers.",
        received=received,
        expected="an array of a floating-point dtype",
    )


def _check_names(places: Sequence[Place], keys: list[str], where: Path | str) -> None:
    expected = {place.key for place in places}
    present = set(keys)
    extra = [key for key in keys if key not in expected]
    missing = [place.key for place in places if place.key not in present]
    if missing:
        near = get_close_matches(missing[0], extra, n=3)
        raise WeightError(
            f"{_tensors(missing)} missing.",
            where=where,
            received=f"nearest to the first: {', '.join(near)}" if near else None,
            expected=_shown(missing),
            fix=_BELONG,
        )
    if extra:
        raise WeightError(
            f"{_tensors(extra)} in the file without a place in the config.",
            where=where,
            received=_shown(extra),
            expected=f"only the {len(expected)} tensors that the config describes",
            fix=_BELONG + "; num_layers may be too small",
        )


def _check_shape(place: Place, shape: tuple[int, ...], where: Path | str) -> None:
    if shape == place.shape:
        return
    raise WeightError(
        f"{place.name!r} has the wrong shape.",
        where=f"{where}: {place.key}",
        received=shape,
        expected=f"{place.shape}, from the config",
        fix=_BELONG,
    )


def _not_finite(place: Place, array: Array, where: Path | str) -> WeightError:
    bad = np.argwhere(~np.isfinite(array))
    first = tuple(int(index) for index in bad[0])
    values = f"{len(bad)} value{'s'[: len(bad) > 1]}"
    return WeightError(
        f"{place.name!r} has {values} not finite in {array.dtype.name}.",
        where=f"{where}: {place.key}",
        received=f"{array[first]} at {list(first)}",
        fix="get the weights again, or train without overflow",
    )


def _is_plain(gamma: Array) -> bool:
    """Whether a layer norm scales all features by one number; 1 is where training begins."""
    return bool(gamma.size > 1 and gamma[0] != 1 and (gamma == gamma[0]).all())


def _tensors(keys: list[str]) -> str:
    return "1 tensor is" if len(keys) == 1 else f"{len(keys)} tensors are"


def _shown(keys: list[str]) -> str:
    rest = len(keys) - _SHOWN
    return ", ".join(keys[:_SHOWN]) + (f" and {rest} more" if rest > 0 else "")
