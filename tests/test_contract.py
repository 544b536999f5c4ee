"""The numerics contract as bits: an oracle of its own, and committed hashes.

A hash that changes means other numbers for everybody: ``npbert.NUMERICS`` goes up by one, and with
it the major version. The failure prints the new hash.
"""

from __future__ import annotations

import hashlib
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
HEAD_HASHES = {  # of NUMERICS = 1: a case of a head, and a classifier's activation
    (
        "heads/classifier",
        "linear",
    ): "563145d84e8a865953e3a5db4b1f1fa2dae1ac09df12ee5e2b509cc590f3b18c",
    (
        "heads/classifier",
        "softmax",
    ): "7e8310c58f607eca394f5c91b4988b3148931b8531b606d03b1362714d3871cb",
    (
        "heads/classifier",
        "sigmoid",
    ): "ea1fba966055349bf7542bebde3bc68360f8664b4124503f1a70751f7c3be7d9",
    (
        "heads/classifier",
        "tanh",
    ): "c3adaa60393ddb798c08633d6b0c3e0fb949fe728a5093902dee74e6f399d4af",
    ("heads/masked_lm", None): "c89cf42558ff4fdec648562d3a4dbf5ca7924244e885a444ac35a9ffb07a74bb",
    (
        "heads/hf_masked_lm_tanh",
        None,
    ): "a8e15717a4e2c492903328a2de5eab3c767374259b4430ad7b74f3281c45b214",
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


@pytest.mark.kernel
@pytest.mark.parametrize(("case", "activation"), HEAD_HASHES)
def test_heads_have_the_bits_of_the_oracle(case, activation):
    task, batch = goldens.task(case, activation), goldens.inputs(case)
    head = task._weights
    three = {name: array for name, array in batch.items() if name != "mask_positions"}
    outputs = task.backbone(three)
    if activation:
        rows = outputs["pooled_output"].tolist()
        expected = [contract_oracle.classifier_head(head, row, activation) for row in rows]
    else:
        places = batch["mask_positions"][:, :, None]
        hidden = np.take_along_axis(outputs["sequence_output"], places, axis=1)
        table = task.backbone.token_embedding.embeddings
        settings = task.intermediate_activation, task.layer_norm_epsilon
        expected = [
            [contract_oracle.masked_lm_head(head, table, row, *settings) for row in rows]
            for rows in hidden.tolist()
        ]
    found = task(batch)
    goldens.assert_same_bits({"": found}, {"": np.array(expected, np.float32)})
    digest = hashlib.sha256(np.ascontiguousarray(found, "<f4").tobytes()).hexdigest()
    assert digest == HEAD_HASHES[case, activation], f"the bits changed: {digest}"


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
