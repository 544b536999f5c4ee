"""The numerics contract as bits: an oracle of its own, and committed hashes.

A hash that changes means other numbers for everybody: ``npbert.NUMERICS`` goes up by one, and with
it the major version. The failure prints the new hash.
"""

from __future__ import annotations

import math
import random

import contract_oracle
import goldens
import numpy as np
import pytest

import npbert
from npbert.simd import gemm

HASHES = {  # of NUMERICS = 1
    "odd_width": "a37323bb00e93e2fb8212eb4aebf33097f7b4f1f12bea6a192b6e81d2065b22e",
    "head_64": "2e62b30790cc1a800a0746fe31a625a2b2a6fa8ea8cd7048cd073b6c2ff7766f",
    "hf_odd_width_erf": "03619bf3ec71357fd9daee4ffff935e005a31fb2c2c4492cd3d7cc601873d048",
}


def oracle(case):
    """The outputs of a golden case by the contract."""
    config, weights = goldens.config(case), goldens.weights(case)
    batch = goldens.inputs(case)
    rows = zip(*(batch[name].tolist() for name in ("token_ids", "segment_ids", "padding_mask")))
    computed = [
        contract_oracle.forward(config, weights, ids, segments, [m != 0 for m in mask])
        for ids, segments, mask in rows
    ]
    sequence, pooled = zip(*computed)
    return {
        "sequence_output": np.array(sequence, np.float32),
        "pooled_output": np.array(pooled, np.float32),
    }


def assert_committed(case, outputs):
    found = goldens.sha256(outputs)
    assert found == HASHES[case], (
        f"the bits of {case!r} changed: set its hash to {found}, and NUMERICS to "
        f"{npbert.NUMERICS + 1} unless that was done since the last release"
    )


def test_the_hashes_belong_to_this_version_of_the_contract():
    assert npbert.NUMERICS == 1


def test_the_oracle_sums_to_the_same_depth():
    assert contract_oracle.DEPTH == gemm.DEPTH
    assert goldens.config("head_64").hidden_dim > gemm.DEPTH  # so that a cut is seen


@pytest.mark.kernel
@pytest.mark.parametrize("case", HASHES)
def test_kernels_have_the_bits_of_the_oracle(case):
    expected = oracle(case)
    goldens.assert_same_bits(goldens.backbone(case)(goldens.inputs(case)), expected)
    assert_committed(case, expected)


def test_the_oracle_without_cs_fma(monkeypatch):
    """Where the C library has no fmaf, its emulation gives the same bits."""
    monkeypatch.setattr(contract_oracle, "fma", contract_oracle.fma_by_hand)
    assert_committed("odd_width", oracle("odd_width"))


def test_both_fmas_round_once():
    if contract_oracle.fma is contract_oracle.fma_by_hand:
        pytest.skip("this C library has no fmaf to compare with")
    draw = random.Random(5)

    def number():
        return contract_oracle.f32(math.ldexp(draw.uniform(-1, 1), draw.randint(-60, 60)))

    for _ in range(20_000):
        a, b = number(), number()
        c = draw.choice([number(), -contract_oracle.f32(a * b), contract_oracle.f32(a * b)])
        expected = contract_oracle.fma(a, b, c)
        assert contract_oracle.fma_by_hand(a, b, c) == expected, (a.hex(), b.hex(), c.hex())
    # Below a tie by 2^-70, which float64 does not see: rounding twice would go up.
    a, b, c = 2.0**-12 * (1 + 2.0**-23), 2.0**-12 * (1 - 2.0**-23), 1 + 2.0**-23
    assert contract_oracle.f32(a * b + c) == 1 + 2.0**-22
    for fma in (contract_oracle.fma_by_hand, contract_oracle.fma):
        assert fma(a, b, c) == 1 + 2.0**-23
