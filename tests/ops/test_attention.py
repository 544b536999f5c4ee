from __future__ import annotations

import math
from functools import partial

import numpy as np
import pytest
import scipy.special
import tolerances
from hypothesis import strategies as st
from ops import kernel_cases
from ops.bounds import Bounds, Near
from ops.checks import assert_near, compiled, drawers, exactly, masks
from precisions import every, given_in_every, rounded
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.attention import attention, attention_kernel
from npbert.simd import buffers
from npbert.simd.gemm import DEPTH
from npbert.simd.precision import FLOAT32

BOTH = pytest.mark.parametrize("fused", [False, True])


def heads(B, T, N, H, seed=0, precision=FLOAT32):
    x = np.random.default_rng(seed).standard_normal((3, B, T, N, H))
    return rounded(x.astype(precision.real), precision)


@st.composite
def shapes(draw):
    """(B, T, N, H), all different."""
    return draw(
        st.tuples(*(st.integers(1, n) for n in (4, 50, 5, 40))).filter(lambda s: len({*s}) == 4)
    )


def check(query, key, value, mask, *, fused, precision=FLOAT32):
    """Scores, probabilities and context, each within its own bound."""
    three = query, key, value, mask
    actual = compiled("attention", *three, fused=fused, precision=precision)
    expected = exactly("attention", *three, fused=fused)
    with np.errstate(invalid="ignore"):
        near = Bounds(precision).attention(*three, fused=fused)
    for name, (value, bound) in near.items():
        value = value if precision.rounded else getattr(expected, name)
        assert_near(getattr(actual, name), Near(value, bound), precision)
    return actual


@BOTH
def test_by_hand(fused):
    """One head of size 1, three keys, of which the middle one is masked."""
    query, key, value = np.array([[0.0, 0, 1], [0, 9, math.log(3)], [4, 9, 8]]).reshape(
        3, 1, 3, 1, 1
    )
    out = attention(query, key, value, np.array([[1, 0, 5]]), fused=fused)
    assert out.scores[0, 0, 2].tolist() == [0, 9, math.log(3)]
    probs = np.array([[0.5, 0, 0.5], [0.5, 0, 0.5], [0.25, 0, 0.75]])
    assert_within(out.probs[0, 0], probs, tolerances.definition(probs))
    context = np.array([6.0, 6, 7])
    assert_within(out.context[0, :, 0, 0], context, tolerances.definition(context))


@BOTH
def test_definition_equals_keras_s_einsums(fused):
    B, T, N, H = 2, 7, 3, 5
    query, key, value = np.float64(heads(B, T, N, H))
    scores = np.einsum("bshi,bthi->bhts", key, query) / math.sqrt(H)
    probs = scipy.special.softmax(scores, axis=-1)
    context = np.einsum("bhts,bshi->bthi", probs, value)
    out = attention(query, key, value, np.ones((B, T)), fused=fused)
    for actual, expected in zip(out, (scores, probs, context), strict=True):
        # Sizes are near 1: what cancels is below that.
        assert_within(actual, expected, tolerances.definition(np.abs(expected) + 1))


def test_nothing_kept():
    """All zero where the constructor's dropout is above 0, uniform over all keys where it is 0."""
    query, key, value = np.float64(heads(1, 3, 2, 5))
    out = attention(query, key, value, np.zeros((1, 3)), fused=False)
    assert not out.probs.any()
    assert not out.context.any()
    out = attention(query, key, value, np.zeros((1, 3)), fused=True)
    assert out.probs.ravel().tolist() == [1 / 3] * 18
    mean = np.broadcast_to(value.mean(axis=1, keepdims=True), value.shape)
    assert_within(out.context, mean, tolerances.definition(np.abs(mean) + 1))


def test_the_paths_part_by_rounding_only_and_not_at_64():
    mask = np.ones((1, 9))
    for H, same in ((64, True), (6, False)):
        paths = [attention(*heads(1, 9, 2, H), mask, fused=fused) for fused in (True, False)]
        assert np.array_equal(paths[0].context, paths[1].context) is same


@BOTH
@given_in_every(data=st.data(), shape=shapes())
def test_kernel(fused, precision, data, shape):
    kinds = ("normal", "tiny", "subnormal", "zeros of both signs", "mostly zero")
    make, mask = data.draw(drawers(precision, kinds)), data.draw(masks(*shape[:2]))
    check(*(make(*shape) for _ in range(3)), mask, fused=fused, precision=precision)


@BOTH
@given_in_every(data=st.data(), shape=shapes(), size=st.sampled_from([0.1, 3.0, 10.0]))
def test_kernel_from_flat_to_peaked_probabilities(fused, precision, data, shape, size):
    mask = data.draw(masks(*shape[:2]))
    query, key, value = heads(*shape, data.draw(st.integers(0, 99)), precision)
    query = rounded(query * precision.real_dtype.type(size), precision)
    check(query, key, value, mask, fused=fused, precision=precision)


@pytest.mark.kernel
@BOTH
@every
@pytest.mark.parametrize("T", [DEPTH - 1, DEPTH, DEPTH + 1, 300])
def test_kernel_on_long_sequences(fused, precision, T):
    """``probs @ value`` is cut at every `DEPTH` keys that are kept."""
    three, how = heads(1, T, 2, 5, precision=precision), {"fused": fused, "precision": precision}
    check(*three, np.random.default_rng(T).integers(0, 5, (1, T)), **how)
    check(*three, np.ones((1, T)), **how)


@pytest.mark.kernel
@BOTH
@every
def test_kernel_where_nothing_is_kept(fused, precision):
    mask = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]])
    three = heads(3, 5, 2, 19, precision=precision)
    out = check(*three, mask, fused=fused, precision=precision)
    fifth = rounded(np.array(1 / 5, precision.real), precision)
    assert (out.probs[1] == (fifth if fused else 0)).all()
    assert out.context[1].any() == fused


@BOTH
@given_in_every(data=st.data(), shape=shapes())
def test_masked_keys_do_not_matter_and_are_as_if_absent(fused, precision, data, shape):
    B, T, _, _ = shape
    mask = data.draw(masks(B, T))
    mask[:, data.draw(st.integers(0, T - 1))] = 1
    query, key, value = heads(*shape, precision=precision)
    run = partial(compiled, "attention", fused=fused, precision=precision)
    clean = run(query, key, value, mask)
    other_key, other_value = key.copy(), value.copy()
    other_key[mask == 0] = other_value[mask == 0] = np.nan
    out = run(query, other_key, other_value, mask)
    assert_same_bits(out.probs, clean.probs)
    assert_same_bits(out.context, clean.context)
    for b in range(B):
        kept = mask[b] != 0
        short = [x[b : b + 1, kept] for x in (query, key, value)]
        alone = run(*short, np.ones((1, kept.sum())))
        assert_same_bits(alone.context[0], clean.context[b, kept])


@BOTH
@given_in_every(data=st.data(), shape=shapes())
def test_a_sequence_and_a_head_do_not_know_the_others(fused, precision, data, shape):
    B, T, N, _ = shape
    mask = data.draw(masks(B, T))
    three = heads(*shape, precision=precision)
    whole = compiled("attention", *three, mask, fused=fused, precision=precision)
    b, n = data.draw(st.integers(0, B - 1)), data.draw(st.integers(0, N - 1))
    alone = [x[b : b + 1, :, n : n + 1] for x in three]
    out = compiled("attention", *alone, mask[b : b + 1], fused=fused, precision=precision)
    assert_same_bits(out.scores[0, 0], whole.scores[b, n])
    assert_same_bits(out.probs[0, 0], whole.probs[b, n])
    assert_same_bits(out.context[0, :, 0], whole.context[b, :, n])


@given_in_every(seed=st.integers(0, 2**32 - 1))
def test_bits_do_not_know_how_many_rows_are_worked_on_at_once(precision, seed):
    results = []
    for rows in (1, 3, 64):
        case = kernel_cases.attention_kernel(np.random.default_rng(seed), precision)
        widths = [x.shape[1] for x in case.arguments[9:12]]
        scratch = [buffers.empty(rows, width, dtype=precision.real) for width in widths]
        attention_kernel[precision](*case.arguments[:9], *scratch, *case.arguments[12:])
        results.append(case.arguments[14:17])
    for other in results[1:]:
        for value, expected in zip(other, results[0], strict=True):
            assert_same_bits(value, expected)


@pytest.mark.kernel
@BOTH
@every
@pytest.mark.parametrize("which", ["query", "key", "value"])
def test_nan_goes_through_to_where_the_definition_has_it(fused, which, precision):
    names = ("query", "key", "value")
    three = dict(zip(names, heads(2, 7, 3, 5, precision=precision), strict=True))
    three[which][1, 4, 2, 3] = np.nan
    mask = np.array([[1] * 7, [1, 1, 0, 1, 1, 0, 1]])
    out = check(*three.values(), mask, fused=fused, precision=precision)
    assert np.isnan(out.context[1, :, 2]).any()
    assert np.isfinite(out.context[0]).all()
    assert np.isfinite(out.context[1, :, :2]).all()
