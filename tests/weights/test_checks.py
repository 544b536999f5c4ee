"""Complete, right shapes, finite: the rules every format shares."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from npbert.dtype_policy import numpy_dtype
from npbert.errors import WeightError
from npbert.weights.checks import Place, collect, collect_given, unique_keys

WHERE = Path("model.safetensors")
PLACES = [Place(f"layer_{i}/kernel", f"layer.{i}.weight", (2, 3)) for i in range(7)]


def _collect(stored: dict[str, np.ndarray], dtype: str = "float32") -> dict[str, np.ndarray]:
    return collect(PLACES, stored, shape_of=np.shape, read=lambda _, a: a, where=WHERE, dtype=dtype)


def _stored() -> dict[str, np.ndarray]:
    return {place.key: np.full(place.shape, i) for i, place in enumerate(PLACES)}


def test_complete():
    arrays = _collect(dict(reversed(_stored().items())))
    assert list(arrays) == [place.name for place in PLACES]
    assert [int(array[0, 0]) for array in arrays.values()] == list(range(7))


def test_missing_names_five_counts_all_and_shows_the_nearest():
    with pytest.raises(WeightError) as error:
        _collect({"layer.0.weights": np.ones((2, 3))})
    assert str(error.value) == (
        "7 tensors are missing.\n"
        "  where:    model.safetensors\n"
        "  received: nearest to the first: layer.0.weights\n"
        "  expected: layer.0.weight, layer.1.weight, layer.2.weight, layer.3.weight, "
        "layer.4.weight and 2 more\n"
        "  fix:      check that the weights and config.json belong together"
    )


def test_one_missing():
    stored = _stored()
    del stored["layer.3.weight"]
    with pytest.raises(WeightError, match=r"1 tensor is missing(.|\n)*expected: layer.3.weight\n"):
        _collect(stored)


def test_extra():
    with pytest.raises(WeightError) as error:
        _collect(_stored() | {"layer.7.weight": np.ones(1), "adapter": np.ones(1)})
    assert error.value.what == "2 tensors are in the file without a place in the config."
    assert error.value.received == "layer.7.weight, adapter"
    assert error.value.expected == "only the 7 tensors that the config describes"


def test_wrong_shape_is_found_before_anything_is_read():
    stored = _stored() | {"layer.6.weight": np.ones((3, 2))}

    def read(place: Place, array: np.ndarray) -> np.ndarray:
        raise AssertionError("read")

    with pytest.raises(WeightError) as error:
        collect(PLACES, stored, shape_of=lambda a: a.shape, read=read, where=WHERE)
    assert error.value.what == "'layer_6/kernel' has the wrong shape."
    assert error.value.where == "model.safetensors: layer.6.weight"
    assert error.value.received == (3, 2)
    assert error.value.expected == "(2, 3), from the config"


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_not_finite(value: float):
    stored = {key: array.astype(np.float32) for key, array in _stored().items()}
    stored["layer.2.weight"][1, 0] = value
    stored["layer.2.weight"][1, 2] = np.nan
    with pytest.raises(WeightError) as error:
        _collect(stored)
    assert error.value.what == "'layer_2/kernel' has 2 values not finite in float32."
    assert error.value.received == f"{value} at [1, 0]"


def test_nothing_but_subnormal_numbers():
    """Small integers look so when they are taken for float32."""
    stored = {key: array.astype(np.float32) for key, array in _stored().items()}
    stored["layer.3.weight"] = np.arange(6, dtype=np.int32).reshape(2, 3).view(np.float32)
    with pytest.raises(WeightError) as error:
        _collect(stored)
    assert error.value.what == "'layer_3/kernel' has only values next to zero."
    assert error.value.received == "7.00649e-45 at most"
    stored["layer.3.weight"][1, 2] = -np.finfo(np.float32).smallest_normal
    _collect(stored)


def _gammas(**gammas: list[float]) -> dict[str, np.ndarray]:
    arrays = {name: np.array(values, np.float32) for name, values in gammas.items()}
    places = [Place(f"{name}/gamma", name, array.shape) for name, array in arrays.items()]
    return collect(places, arrays, shape_of=np.shape, read=lambda _, array: array, where=WHERE)


@pytest.mark.parametrize("value", [0.0, -1.0, 2.5])
def test_a_layer_norm_that_scales_by_one_number(value: float):
    message = r"model.safetensors: b/gamma: the same number everywhere"
    with pytest.warns(UserWarning, match=message) as caught:
        assert list(_gammas(a=[1, 2], b=[value] * 3)) == ["a/gamma", "b/gamma"]
    assert len(caught) == 1


def test_a_layer_norm_that_was_never_trained_or_has_one_feature():
    _gammas(a=[1, 1, 1], b=[7], c=[0, 0, 0.5])


def test_float64_past_the_range_of_float32():
    stored = _stored() | {"layer.0.weight": np.array([[1, 2, 3], [4, 1e39, 6]])}
    with pytest.raises(WeightError, match="'layer_0/kernel' has values too large for float32"):
        _collect(stored)
    assert _collect(stored, "float64")["layer_0/kernel"][1, 1] == 1e39
    stored["layer.0.weight"][0, 2] = np.nan
    with pytest.raises(WeightError, match="has 1 value not finite in float64"):
        _collect(stored)


def test_a_layer_norm_is_looked_at_before_it_is_rounded():
    """A trained one may have one number everywhere in 16 bits."""
    gamma = np.array([2.001, 2.002], np.float32)
    place = Place("b/gamma", "b", (2,))
    loaded = collect(
        [place], {"b": gamma}, shape_of=np.shape, read=lambda _, a: a, where="x", dtype="bfloat16"
    )
    assert loaded["b/gamma"].astype(float).tolist() == [2, 2]


# -- what a user gives -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64", "float16", "bfloat16"])
@pytest.mark.parametrize(
    "given",
    [
        [[1.5, -2, 0.25]],
        np.array([[3, 0, 250]], np.uint8),
        np.array([[-128, 0, 7]], np.int8),
        np.array([[1.5, -2, 0.25]], np.longdouble),
        np.array([[1.5, -2, 0.25]], ">f4"),
        np.array([[1.5, -2, 0.25]], np.float16),
        np.array([[1.5, -2, 0.25]], ml_dtypes.bfloat16),
        np.array([[1.5], [-2], [0.25]]).T,
    ],
    ids=lambda given: np.asarray(given).dtype.str,
)
def test_copies_of_what_is_given(given, dtype: str):
    copy = collect_given({"a/kernel": (1, 3)}, {"a/kernel": given}, dtype)["a/kernel"]
    assert copy.dtype == numpy_dtype(dtype)
    assert copy.dtype.isnative
    assert copy.flags.c_contiguous
    assert copy.astype(float).tolist() == np.asarray(given).astype(float).tolist()
    copy[:] = 5
    assert np.asarray(given)[0, 0] != 5


@pytest.mark.parametrize(
    ("given", "what"),
    [
        ([["x", "y"]], "'a' does not hold real numbers"),
        ([[1, 2], [3]], "'a' does not hold real numbers"),
        (np.ones((1, 2), ml_dtypes.int4), "'a' does not hold real numbers"),
        ([[1, np.nan]], "'a' has 1 value not finite in float64"),
        ([[1, 70_000]], "'a' has values too large for float16"),
        ([1, 2], "'a' has the wrong shape"),
    ],
)
def test_what_cannot_be_given(given, what: str):
    with pytest.raises(WeightError, match=what):
        collect_given({"a": (1, 2)}, {"a": given}, "float16")


def test_what_is_given_is_all_that_is_asked_for():
    with pytest.raises(WeightError, match=r"1 tensor is missing(.|\n)*where: +the weights given"):
        collect_given({"a": (1,)}, {}, "float32")


def test_two_names_for_one_tensor():
    assert unique_keys([("a", "x.a"), ("b", "x.b")], WHERE) == {"a": "x.a", "b": "x.b"}
    with pytest.raises(WeightError, match=r"both mean 'a'(.|\n)*received: 'x.a' and 'y.a'"):
        unique_keys([("a", "x.a"), ("a", "y.a")], WHERE)
