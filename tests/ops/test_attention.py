from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.special
import tolerances
from hypothesis import given
from hypothesis import strategies as st
from ops import kernel_cases
from ops.checks import compiled, drawers, exactly, masks
from simd.exact import assert_same_bits
from tolerances import assert_within

from npbert.ops.attention import attention, attention_kernel
from npbert.simd import buffers
from npbert.simd.gemm import DEPTH

BOTH = pytest.mark.parametrize("fused", [False, True])


def heads(B, T, N, H, seed=0):
    return np.float32(np.random.default_rng(seed).standard_normal((3, B, T, N, H)))


@st.composite
def shapes(draw):
    """(B, T, N, H), all different."""
    return draw(
        st.tuples(*(st.integers(1, n) for n in (4, 50, 5, 40))).filter(lambda s: len({*s}) == 4)
    )


def check(query, key, value, mask, *, fused):
    """Scores, probabilities and context, each within its own bound."""
    actual = compiled("attention", query, key, value, mask, fused=fused)
    expected = exactly("attention", query, key, value, mask, fused=fused)
    bound = tolerances.Attention(query, key, value, mask, fused=fused)
    for name in ("scores", "probs", "context"):
        assert_within(getattr(actual, name), getattr(expected, name), getattr(bound, name))
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


@pytest.mark.kernel
@BOTH
@given(data=st.data(), shape=shapes())
def test_kernel(fused, data, shape):
    make = data.draw(drawers(("normal", "tiny", "subnormal", "zeros of both signs", "mostly zero")))
    check(*(make(*shape) for _ in range(3)), data.draw(masks(*shape[:2])), fused=fused)


@pytest.mark.kernel
@BOTH
@given(data=st.data(), shape=shapes(), size=st.sampled_from([0.1, 3.0, 10.0]))
def test_kernel_from_flat_to_peaked_probabilities(fused, data, shape, size):
    mask = data.draw(masks(*shape[:2]))
    query, key, value = heads(*shape, seed=data.draw(st.integers(0, 99)))
    check(np.float32(query * size), key, value, mask, fused=fused)


@pytest.mark.kernel
@BOTH
@pytest.mark.parametrize("T", [DEPTH - 1, DEPTH, DEPTH + 1, 300])
def test_kernel_on_long_sequences(fused, T):
    """``probs @ value`` is cut at every `DEPTH` keys that are kept."""
    mask = np.random.default_rng(T).integers(0, 5, (1, T))
    check(*heads(1, T, 2, 5), mask, fused=fused)
    check(*heads(1, T, 2, 5), np.ones((1, T)), fused=fused)


@pytest.mark.kernel
@BOTH
def test_kernel_where_nothing_is_kept(fused):
    mask = np.array([[1, 0, 1, 1, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 1]])
    out = check(*heads(3, 5, 2, 19), mask, fused=fused)
    assert (out.probs[1] == (np.float32(1 / 5) if fused else 0)).all()
    assert out.context[1].any() == fused


@pytest.mark.kernel
@BOTH
@given(data=st.data(), shape=shapes())
def test_masked_keys_do_not_matter_and_are_as_if_absent(fused, data, shape):
    B, T, _, _ = shape
    mask = data.draw(masks(B, T))
    mask[:, data.draw(st.integers(0, T - 1))] = 1
    query, key, value = heads(*shape)
    clean = compiled("attention", query, key, value, mask, fused=fused)
    other_key, other_value = key.copy(), value.copy()
    other_key[mask == 0] = other_value[mask == 0] = np.nan
    out = compiled("attention", query, other_key, other_value, mask, fused=fused)
    assert_same_bits(out.probs, clean.probs)
    assert_same_bits(out.context, clean.context)
    for b in range(B):
        kept = mask[b] != 0
        short = [x[b : b + 1, kept] for x in (query, key, value)]
        alone = compiled("attention", *short, np.ones((1, kept.sum())), fused=fused)
        assert_same_bits(alone.context[0], clean.context[b, kept])


@pytest.mark.kernel
@BOTH
@given(data=st.data(), shape=shapes())
def test_a_sequence_and_a_head_do_not_know_the_others(fused, data, shape):
    B, T, N, _ = shape
    mask = data.draw(masks(B, T))
    three = heads(*shape)
    whole = compiled("attention", *three, mask, fused=fused)
    b, n = data.draw(st.integers(0, B - 1)), data.draw(st.integers(0, N - 1))
    alone = [x[b : b + 1, :, n : n + 1] for x in three]
    out = compiled("attention", *alone, mask[b : b + 1], fused=fused)
    assert_same_bits(out.scores[0, 0], whole.scores[b, n])
    assert_same_bits(out.probs[0, 0], whole.probs[b, n])
    assert_same_bits(out.context[0, :, 0], whole.context[b, :, n])


@pytest.mark.kernel
@given(seed=st.integers(0, 2**32 - 1))
def test_bits_do_not_know_how_many_rows_are_worked_on_at_once(seed):
    results = []
    for rows in (1, 3, 64):
        case = kernel_cases.attention_kernel(np.random.default_rng(seed))
        scratch = [buffers.empty(rows, x.shape[1]) for x in case.arguments[9:12]]
        attention_kernel(*case.arguments[:9], *scratch, *case.arguments[12:])
        results.append(case.arguments[14:17])
    for other in results[1:]:
        for value, expected in zip(other, results[0], strict=True):
            assert_same_bits(value, expected)


@pytest.mark.kernel
@BOTH
@pytest.mark.parametrize("which", ["query", "key", "value"])
def test_nan_goes_through_to_where_the_definition_has_it(fused, which):
    three = dict(zip(("query", "key", "value"), heads(2, 7, 3, 5), strict=True))
    three[which][1, 4, 2, 3] = np.nan
    mask = np.array([[1] * 7, [1, 1, 0, 1, 1, 0, 1]])
    out = check(*three.values(), mask, fused=fused)
    assert np.isnan(out.context[1, :, 2]).any()
    assert np.isfinite(out.context[0]).all()
    assert np.isfinite(out.context[1, :, :2]).all()
