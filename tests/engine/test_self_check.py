"""The check before the first result: its numbers are the contract's, and mistakes do not get by."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import contract_oracle
import goldens
import ml_dtypes
import numpy as np
import pytest

import npbert
from npbert import reference
from npbert.dtype_policy import numpy_dtype
from npbert.engine import forward, self_check
from npbert.errors import KernelError
from npbert.simd.gemm import DEPTH
from npbert.simd.isa import ISAS
from npbert.simd.precision import BFLOAT16, FLOAT16, FLOAT32, PRECISIONS
from npbert.weights import weight_shapes

TESTS = Path(__file__).parents[1]
ACTIVATIONS = list(self_check.DROPOUT)
STAGES = ["embeddings", *(f"{name}.{a}" for a in ACTIVATIONS for name in ("layer", "pooler"))]

every_precision = pytest.mark.parametrize("precision", PRECISIONS.values(), ids=PRECISIONS)


@pytest.fixture
def unchecked(monkeypatch):
    """As in a process that has not run the check."""
    monkeypatch.setattr(self_check, "_passed", {})


def sha256(array, precision=FLOAT32):
    dtype = precision.real_dtype.newbyteorder("<")
    return hashlib.sha256(np.ascontiguousarray(array, dtype).tobytes()).hexdigest()


# -- the encoder -----------------------------------------------------------------------------------


def test_the_hashes_belong_to_this_version_of_the_contract():
    """Other hashes mean other bits for everybody: then NUMERICS grows, and this line with it."""
    assert npbert.NUMERICS == 1
    assert set(self_check.HASHES) == set(PRECISIONS)
    found = [each for stages in self_check.HASHES.values() for each in stages.values()]
    assert {*map(tuple, self_check.HASHES.values())} == {(*STAGES,)}
    assert len(set(found)) == len(found)


def test_every_kind_of_tail_is_there():
    config = self_check.config("gelu")
    plan = self_check.batch_plan(fused=True)
    D, F, H = config.hidden_dim, config.intermediate_dim, config.head_dim
    for isa in ISAS.values():
        assert plan.rows % isa.tile_rows
        assert plan.rows % isa.tile_rows_64 or isa.tile_rows_64 == 1
        assert 16 * isa.tile_vectors < D  # more than one panel
        # Weights of 16 bits take one way in whole blocks of rows, and another in the rest of them.
        assert 128 > 8 * isa.tile_rows >= plan.rows % 128
    for inner in (D, F, plan.most_keys):
        assert inner > DEPTH
        assert inner % DEPTH
    for columns in (D, 3 * D, F, H, plan.most_keys):
        assert columns % 16
    assert plan.rows > 128
    assert plan.most_keys > forward.ATTENTION_ROWS
    assert 0 in np.diff(self_check.batch_plan(fused=False).key_starts)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_weights_are_those_of_the_config(activation):
    config, tensors = self_check.config(activation), self_check.tensors()
    assert {name: tensor.shape for name, tensor in tensors.items()} == weight_shapes(config)
    for name, tensor in tensors.items():
        assert tensor.dtype == np.float32
        centre = float(name.endswith("gamma"))
        assert 0.2 < np.abs(tensor - centre).max() <= 0.25, name
        assert abs((tensor - centre).mean()) < 0.1, name
    values = np.concatenate([tensor.ravel() for tensor in tensors.values()])
    assert len(np.unique(values)) > 0.99 * len(values)


def outputs(activation):
    """Every sequence by the definition in float64."""
    weights = {name: np.float64(tensor) for name, tensor in self_check.tensors().items()}
    return reference.forward(self_check.config(activation), weights, *self_check.batch())


@pytest.mark.kernel
@every_precision
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_kernels_are_near_the_definition_in_float64(precision, activation):
    config, (ids, segments, kept) = self_check.config(activation), self_check.batch()
    tensors, dtype = self_check.tensors(), precision.name
    model = npbert.BertBackbone.from_weights(config, tensors, num_threads=1, dtype=dtype)
    found = model({"token_ids": ids, "segment_ids": segments, "padding_mask": kept})
    roundings = 8 * float(ml_dtypes.finfo(numpy_dtype(precision.stored)).eps)
    for name, exact in outputs(activation).items():
        error = np.abs(found[name].astype(np.float64) - exact).max()
        assert error <= roundings * np.abs(exact).max(), name
    plan = self_check.batch_plan(fused=config.dropout == 0)
    rows = found["sequence_output"][plan.sequences, plan.positions]
    hashes = self_check.HASHES[precision.name]
    assert sha256(rows, precision) == hashes[f"layer.{activation}"]
    assert sha256(found["pooled_output"], precision) == hashes[f"pooler.{activation}"]


@pytest.mark.slow
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_hashes_are_those_of_the_contracts_oracle(activation):
    """Scalar Python over C's fmaf, which shares no line with the kernels."""
    config, weights = self_check.config(activation), self_check.tensors()
    batch = [array.tolist() for array in self_check.batch()]
    computed = [contract_oracle.forward(config, weights, *row) for row in zip(*batch)]
    sequence, pooled = (np.array(each, np.float32) for each in zip(*computed))
    plan = self_check.batch_plan(fused=config.dropout == 0)
    rows = sequence[plan.sequences, plan.positions]
    assert sha256(rows) == self_check.HASHES["float32"][f"layer.{activation}"]
    assert sha256(pooled) == self_check.HASHES["float32"][f"pooler.{activation}"]


# -- the check -------------------------------------------------------------------------------------


def check_shared(precision, num_threads):
    """Until the threads are free."""
    while not self_check.check(precision, num_threads):
        pass


@pytest.mark.kernel
@every_precision
@pytest.mark.parametrize("num_threads", [1, 2])
def test_these_kernels_pass(precision, num_threads):
    check_shared(precision, num_threads)


@pytest.mark.kernel
@every_precision
@pytest.mark.parametrize("stage", STAGES)
def test_another_hash_is_refused(monkeypatch, precision, stage):
    hashes = self_check.HASHES[precision.name]
    right = hashes[stage]
    monkeypatch.setitem(hashes, stage, "0" * 64)
    words = "^the compiled kernels failed their self-check"
    with pytest.raises(KernelError, match=words) as error:
        self_check.check(precision, 1)
    assert error.value.where == f"stage {stage!r} in {precision.name}"
    assert error.value.received == f"SHA-256 {right}"
    assert error.value.expected == f"SHA-256 {'0' * 64}, as on every machine"
    assert "set NPBERT_CACHE_DIR to a new directory" in error.value.fix
    assert "`npbert info`" in error.value.fix


@pytest.mark.kernel
@every_precision
def test_a_last_bit_is_enough(monkeypatch, precision):
    """Of one value, where two threads share a layer."""
    layers = forward.Forward.layers

    def almost(self, part, parts, *arguments):
        layers(self, part, parts, *arguments)
        if (part, parts) == (0, 2):
            self.x[100, 7] = np.nextafter(self.x[100, 7], self.x.dtype.type(9))

    monkeypatch.setattr(forward.Forward, "layers", almost)
    with pytest.raises(KernelError) as error:
        check_shared(precision, 2)
    stages = [f"'layer.{activation}' in {precision.name}" for activation in ACTIVATIONS]
    assert error.value.where in [f"stage {stage} shared by two threads" for stage in stages]


@pytest.mark.kernel
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "float16_from_float32"])
def test_a_model_gives_no_result_until_its_kernels_pass(unchecked, dtype):
    model, batch = goldens.backbone("odd_width", dtype=dtype), goldens.inputs("odd_width")
    hashes = self_check.HASHES[model.precision.name]
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(hashes, "layer.gelu", "another")
        for call in (model.prepare, lambda: model(batch), lambda: model.encode_ragged([[1, 2]])):
            with pytest.raises(KernelError, match="failed their self-check"):
                call()
    assert set(model(batch)) == set(goldens.OUTPUTS)


def test_it_runs_once_and_again_for_the_first_model_with_more_threads(unchecked, monkeypatch):
    """In every precision: the kernels of one say nothing of those of another."""
    asked = []

    def check(precision, threads):
        asked.append((precision, threads))
        return True

    monkeypatch.setattr(self_check, "check", check)
    for threads in (1, 1, 1, 2, 1, 7, 2):
        for precision in (FLOAT16, BFLOAT16):
            self_check.check_once(precision, threads)
    assert asked == [(precision, n) for n in (1, 2) for precision in (FLOAT16, BFLOAT16)]


def test_it_runs_again_where_the_threads_were_busy(unchecked, monkeypatch):
    answers = [False, False, True]
    monkeypatch.setattr(self_check, "check", lambda precision, threads: answers.pop(0))
    for _ in range(5):
        self_check.check_once(FLOAT32, 4)
    assert answers == []


@pytest.mark.kernel
def test_many_first_callers(unchecked, monkeypatch):
    """All of them wait for the one check."""
    model, batch = goldens.backbone("deep", 2), goldens.inputs("deep")
    expected, checks, found = goldens.sha256(goldens.backbone("deep")(batch)), [], []
    monkeypatch.setattr(self_check, "_passed", {})
    check = self_check.check

    def counted(precision, threads):
        checks.append((precision, threads))
        return check(precision, threads)

    monkeypatch.setattr(self_check, "check", counted)
    callers = [
        threading.Thread(target=lambda: found.append(goldens.sha256(model(batch))))
        for _ in range(16)
    ]
    for each in callers:
        each.start()
    for each in callers:
        each.join(60)
    assert set(found) == {expected}
    assert len(found) == 16
    assert checks == [(FLOAT32, 2)]


# -- kernels with a mistake ------------------------------------------------------------------------

REFUSED_AT = {  # mistake, precision -> the stage that shows it
    ("nothing", "float32"): None,
    ("unfused", "float32"): "embeddings",
    ("tile", "float32"): "layer.gelu_approximate",
    ("epilogue", "float32"): "layer.gelu_approximate",
    ("unfused", "float64"): "embeddings",
    ("unrounded", "float16"): "embeddings",
    ("pairs", "bfloat16_from_float32"): "layer.gelu_approximate",
}


@pytest.mark.kernel
@pytest.mark.slow
def test_a_mistake_in_the_kernels_is_refused():
    """Compiled without optimization, which takes half the time and changes no bit."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    env = {**os.environ, "PYTHONPATH": path, "NUMBA_OPT": "0"}
    script = TESTS / "engine" / "sabotage.py"

    def said(case):
        command = [sys.executable, script, *case]
        done = subprocess.run(command, env=env, stdout=subprocess.PIPE, text=True, timeout=300)
        return done.stdout

    with ThreadPoolExecutor(4) as pool:
        found = dict(zip(REFUSED_AT, pool.map(said, REFUSED_AT)))
    assert found == {
        (mistake, precision): f"refused at stage {stage!r} in {precision}\n"
        if stage
        else "passed\n"
        for (mistake, precision), stage in REFUSED_AT.items()
    }
