"""What became of a tensor: each fault in a golden model's weights is called by its name."""

from __future__ import annotations

import goldens
import ml_dtypes
import numpy as np
import pytest

from npbert.parity.weights import SAME, axes, compare_weights
from npbert.weights.names import weight_shapes

CASE = "deep"  # L = 3, N = 2, D = 22, F = 33
LAYER = "transformer_layer_1"
ATTENTION = f"{LAYER}/self_attention_layer"
QUERY, KEY, OUTPUT = (f"{ATTENTION}/{n}/kernel" for n in ("query", "key", "attention_output"))
DOWN = f"{LAYER}/feedforward_output_dense/kernel"
SPLIT = "heads split as (H, N), not (N, H)"
TABLE, PLACES = "token_embedding/embeddings", "position_embedding/embeddings"


def relation(name, edit, dtype=np.float32):
    """What is said of the tensor ``name`` after ``edit``; of all others nothing."""
    a, b = goldens.weights(CASE), goldens.weights(CASE, dtype)
    b[name] = edit(b[name])
    found = {each.name: each for each in compare_weights(a, b)}
    others = {each.relation for each in found.values() if each.name != name}
    assert others == {"equal"}
    return found[name]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_same_weights_are_equal_in_any_dtype(dtype):
    a, b = goldens.weights(CASE), goldens.weights(CASE, dtype)
    reports = compare_weights(a, b)
    assert [each.name for each in reports] == list(a)
    assert {(each.relation, each.max_abs) for each in reports} == {("equal", 0.0)}


@pytest.mark.parametrize("kept_in", [None, np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16])
def test_rounding_to_16_bits(dtype, kept_in):
    found = relation(QUERY, lambda w: w.astype(dtype).astype(kept_in or dtype))
    said = "rounded to" if kept_in else "kept in"
    assert found.relation == f"{said} {np.dtype(dtype).name}"
    assert 0 < found.max_abs < 0.02


@pytest.mark.parametrize(
    ("name", "edit", "expected"),
    [
        (QUERY, lambda w: w * np.float32(1 + 1e-7), "close"),
        (QUERY, lambda w: -w, "negated"),
        (QUERY, lambda w: w / np.float32(11) ** 0.5, f"times {11**-0.5:.6g}"),
        (QUERY, np.zeros_like, "zero in b"),
        (f"{ATTENTION}/query/bias", np.zeros_like, "zero in b"),
        (QUERY, lambda w: w[:, ::-1], "heads permuted: 1, 0"),
        (f"{ATTENTION}/query/bias", lambda w: w[::-1], "heads permuted: 1, 0"),
        (OUTPUT, lambda w: w[::-1], "heads permuted: 1, 0"),
        (QUERY, lambda w: w.reshape(22, 11, 2).swapaxes(1, 2), SPLIT),
        (OUTPUT, lambda w: w.reshape(11, 2, 22).swapaxes(0, 1), SPLIT),
        (QUERY, lambda w: w.swapaxes(1, 2).reshape(w.shape), SPLIT),
        (QUERY, lambda w: w.reshape(22, 22).T.reshape(w.shape), "transposed"),
        (QUERY, lambda w: w.reshape(22, 22).T, "transposed"),
        (OUTPUT, lambda w: w.reshape(22, 22).T.reshape(w.shape), "transposed"),
        (DOWN, lambda w: w.T, "transposed"),
        ("pooled_dense/kernel", lambda w: w.T, "transposed"),
        (QUERY, lambda w: w.reshape(22, 22), "reshaped"),
        (DOWN, lambda w: w[:5], "other shape: (33, 22) and (5, 22)"),
        (TABLE, lambda w: np.concatenate([w, w[:3]]), "equal in the shared rows"),
        (TABLE, lambda w: 2 * w[:9], "other shape: (29, 22) and (9, 22)"),
        (PLACES, lambda w: np.roll(w, 1, axis=0), "rows shifted by 1"),
        (PLACES, lambda w: np.roll(w, -2, axis=0), "rows shifted by -2"),
        (TABLE, lambda w: w + (np.arange(29) % 7 == 2)[:, None], "different in 4 of 29 rows"),
        (QUERY, lambda w: w[::-1], "different"),
        (TABLE, lambda w: w + 1, "different"),
        (f"{ATTENTION}/query/bias", lambda w: w + 1, "different"),
    ],
)  # fmt: skip
def test_seeded_faults(name, edit, expected):
    found = relation(name, edit)
    assert found.relation == expected
    assert (found.relation in SAME) == (expected in ("close", "equal in the shared rows"))
    before = goldens.weights(CASE)[name]
    assert (found.max_abs is None) == (edit(before).shape != before.shape)


def test_tensors_that_are_anothers():
    a = goldens.weights(CASE)
    b = {**a, QUERY: a[KEY], KEY: a[QUERY]}
    found = {each.name: each.relation for each in compare_weights(a, b)}
    assert found[QUERY] == f"equal to {KEY} of a"
    assert found[KEY] == f"equal to {QUERY} of a"


def test_tensors_of_one_side_alone():
    a = goldens.weights(CASE)
    b = {name: tensor for name, tensor in a.items() if not name.startswith("pooled")}
    found = {each.name: each for each in compare_weights(a, {**b, "extra": np.ones(3)})}
    assert found["pooled_dense/bias"].relation == "missing in b"
    assert found["extra"].relation == "missing in a"
    assert found["extra"].max_abs is None


def test_a_single_number_is_never_scaled():
    (report,) = compare_weights({"x": np.ones(1)}, {"x": np.full(1, 2.0)})
    assert report.relation == "different"


def test_the_axes_are_those_of_the_table_of_names():
    """By sizes that are all different."""
    config = goldens.config("odd_width")  # N = 4, D = 20, F = 29, V = 31
    sizes = {20: "D", 29: "F", 4: "N", 5: "H"}
    for name, shape in weight_shapes(config).items():
        if name.endswith("/embeddings"):
            assert axes(name) == "VD"
        else:
            assert axes(name) == "".join(sizes[size] for size in shape)
