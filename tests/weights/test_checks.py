"""Complete, right shapes, finite: the rules every format shares."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from npbert.errors import WeightError
from npbert.weights.checks import Place, bfloat16_to_float32, collect, to_float32, unique_keys

WHERE = Path("model.safetensors")
PLACES = [Place(f"layer_{i}/kernel", f"layer.{i}.weight", (2, 3)) for i in range(7)]


def _collect(stored: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return collect(
        PLACES, stored, shape_of=lambda a: a.shape, read=lambda _, a: to_float32(a), where=WHERE
    )


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


def test_float64_past_the_range_of_float32_is_not_finite():
    with pytest.raises(WeightError, match="has 1 value not finite in float32"):
        _collect(_stored() | {"layer.0.weight": np.array([[1, 2, 3], [4, 1e39, 6]])})


def test_two_names_for_one_tensor():
    assert unique_keys([("a", "x.a"), ("b", "x.b")], WHERE) == {"a": "x.a", "b": "x.b"}
    with pytest.raises(WeightError, match=r"both mean 'a'(.|\n)*received: 'x.a' and 'y.a'"):
        unique_keys([("a", "x.a"), ("a", "y.a")], WHERE)


def test_bfloat16_is_the_upper_half_of_float32():
    bits = np.array([0x3F80, 0xC040, 0x0001, 0x7F80, 0x8000], np.uint16)
    expected = np.array([1.0, -3.0, 2.0**-133, np.inf, -0.0], np.float32)
    assert bfloat16_to_float32(bits).tobytes() == expected.tobytes()


def test_to_float32_rounds_to_nearest_and_fixes_the_byte_order():
    array = np.array([1 + 2.0**-25, 1 + 3 * 2.0**-25], ">f8")
    assert to_float32(array).tolist() == [1.0, 1 + 2.0**-23]
    assert to_float32(array).dtype.isnative
