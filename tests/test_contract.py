"""The numerics contract as bits: an oracle of its own, and committed hashes.

A hash that changes means other numbers for everybody: ``npbert.NUMERICS`` goes up by one, and with
it the major version. The failure prints the new hash.
"""

from __future__ import annotations

import hashlib
import math
import random

import contract_numbers
import contract_oracle
import goldens
import numpy as np
import pytest

import npbert
from npbert.dtype_policy import DTypePolicy, numpy_dtype
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


POLICY_CASES = [  # both GELUs and both of attention's paths
    (policy, case)
    for policy in goldens.POLICIES[1:]
    for case in ("odd_width", "hf_odd_width_erf", "dropout_zero")
    if case == "odd_width" or not policy.startswith("mixed_")
]


def oracle(case, policy="float32"):
    """The outputs of a golden case by the contract."""
    dtypes = DTypePolicy(policy)
    contract = contract_oracle.CONTRACTS[policy.removeprefix("mixed_")]
    config, batch = goldens.config(case), goldens.inputs(case)
    weights = goldens.weights(case, numpy_dtype(dtypes.variable_dtype))
    rows = zip(*(batch[name].tolist() for name in ("token_ids", "segment_ids", "padding_mask")))
    computed = [
        contract_oracle.forward(config, weights, ids, segments, [m != 0 for m in mask], contract)
        for ids, segments, mask in rows
    ]
    outputs = dict(zip(goldens.OUTPUTS, zip(*computed), strict=True))
    return {name: np.array(each).astype(dtypes.compute_dtype) for name, each in outputs.items()}


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
@pytest.mark.parametrize(("policy", "case"), POLICY_CASES)
def test_kernels_have_the_bits_of_the_oracle_in_every_policy(policy, case):
    found = goldens.backbone(case, dtype=policy)(goldens.inputs(case))
    goldens.assert_same_bits(found, oracle(case, policy))


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
    monkeypatch.setattr(contract_numbers, "fma", contract_numbers.fma_by_hand)
    assert_committed("odd_width", oracle("odd_width"))


@pytest.mark.parametrize("bits", ["", "_64"])
def test_both_fmas_round_once(bits):
    fma, by_hand = (getattr(contract_numbers, f"fma{bits}{how}") for how in ("", "_by_hand"))
    if fma is by_hand:
        pytest.skip("this C library has none to compare with")
    real, last = (contract_numbers.f64, 52) if bits else (contract_numbers.f32, 23)
    draw = random.Random(5)

    def number():
        return real(math.ldexp(draw.uniform(-1, 1), draw.randint(-60, 60)))

    for _ in range(20_000):
        a, b = number(), number()
        c = draw.choice([number(), -real(a * b), real(a * b)])
        assert by_hand(a, b, c) == fma(a, b, c), (a.hex(), b.hex(), c.hex())
    # Below a tie by a little that a sum of twice the digits does not see: rounding twice goes up.
    unit = 2.0**-last
    a, b, c = 2.0**-12 * (1 + unit), 2.0 ** (11 - last) * (1 - unit), 1 + unit
    assert bits or real(a * b + c) == 1 + 2 * unit
    for each in (by_hand, fma):
        assert each(a, b, c) == 1 + unit
        assert math.copysign(1, each(-0.0, 1.0, -0.0)) == -1


@pytest.mark.parametrize("name", ["float16", "bfloat16"])
def test_the_oracle_rounds_to_16_bits_as_a_cast_does(name):
    every = np.arange(2**16, dtype=np.uint16).view(numpy_dtype(name)).astype(np.float32)
    numbers = every[np.isfinite(every)]
    middles = numbers[1:] / 2 + numbers[:-1] / 2
    above, below = (np.nextafter(middles, np.float32(end)) for end in (np.inf, -np.inf))
    x = np.concatenate([numbers, middles, above, below, np.float32([65520, 3.4e38, np.inf])])
    with np.errstate(over="ignore"):
        expected = x.astype(numpy_dtype(name)).astype(float).tolist()
    assert [getattr(contract_numbers, name)(each) for each in x.tolist()] == expected
