"""The check before the first result: its numbers are the contract's, and mistakes do not get by."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import contract_oracle
import goldens
import numpy as np
import pytest
from tolerances import STAGES_FLOAT64

import npbert
from npbert import reference
from npbert.engine import forward, self_check
from npbert.errors import KernelError
from npbert.simd.gemm import DEPTH
from npbert.simd.isa import ISAS
from npbert.weights import weight_shapes

TESTS = Path(__file__).parents[1]
ACTIVATIONS = list(self_check.DROPOUT)


@pytest.fixture
def unchecked(monkeypatch):
    """As in a process that has not run the check."""
    monkeypatch.setattr(self_check, "_passed", 0)


def sha256(array):
    return hashlib.sha256(np.ascontiguousarray(array, "<f4").tobytes()).hexdigest()


# -- the encoder -----------------------------------------------------------------------------------


def test_the_hashes_belong_to_this_version_of_the_contract():
    """Other hashes mean other bits for everybody: then NUMERICS grows, and this line with it."""
    assert npbert.NUMERICS == 1
    stages = {f"{name}.{a}" for name in ("layer", "pooler") for a in ACTIVATIONS}
    assert set(self_check.HASHES) == {"embeddings"} | stages


def test_every_kind_of_tail_is_there():
    config = self_check.config("gelu")
    plan = self_check.batch_plan(fused=True)
    D, F, H = config.hidden_dim, config.intermediate_dim, config.head_dim
    for isa in ISAS.values():
        assert plan.rows % isa.tile_rows
        assert 16 * isa.tile_vectors < D  # more than one panel
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
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_kernels_are_near_the_definition_in_float64(activation):
    config, (ids, segments, kept) = self_check.config(activation), self_check.batch()
    model = npbert.BertBackbone.from_weights(config, self_check.tensors(), num_threads=1)
    found = model({"token_ids": ids, "segment_ids": segments, "padding_mask": kept})
    for name, exact in outputs(activation).items():
        error = np.abs(found[name] - exact).max()
        assert error <= STAGES_FLOAT64 * np.abs(exact).max(), name
    plan = self_check.batch_plan(fused=config.dropout == 0)
    rows = found["sequence_output"][plan.sequences, plan.positions]
    assert sha256(rows) == self_check.HASHES[f"layer.{activation}"]
    assert sha256(found["pooled_output"]) == self_check.HASHES[f"pooler.{activation}"]


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
    assert sha256(rows) == self_check.HASHES[f"layer.{activation}"]
    assert sha256(pooled) == self_check.HASHES[f"pooler.{activation}"]


# -- the check -------------------------------------------------------------------------------------


@pytest.mark.kernel
@pytest.mark.parametrize("num_threads", [1, 2])
def test_these_kernels_pass(num_threads):
    assert self_check.check(num_threads) is True


@pytest.mark.kernel
@pytest.mark.parametrize("stage", self_check.HASHES)
def test_another_hash_is_refused(monkeypatch, stage):
    right = self_check.HASHES[stage]
    monkeypatch.setitem(self_check.HASHES, stage, "0" * 64)
    words = "^the compiled kernels failed their self-check"
    with pytest.raises(KernelError, match=words) as error:
        self_check.check(1)
    assert error.value.where == f"stage {stage!r}"
    assert error.value.received == f"SHA-256 {right}"
    assert error.value.expected == f"SHA-256 {'0' * 64}, as on every machine"
    assert "set NPBERT_CACHE_DIR to a new directory" in error.value.fix
    assert "`npbert info`" in error.value.fix


@pytest.mark.kernel
def test_a_last_bit_is_enough(monkeypatch):
    """Of one value, where two threads share a layer."""
    layers = forward.Forward.layers

    def almost(self, part, parts, *arguments):
        layers(self, part, parts, *arguments)
        if (part, parts) == (0, 2):
            self.x[100, 7] = np.nextafter(self.x[100, 7], np.float32(9))

    monkeypatch.setattr(forward.Forward, "layers", almost)
    with pytest.raises(KernelError) as error:
        self_check.check(2)
    first = ACTIVATIONS[0]
    assert error.value.where == f"stage 'layer.{first}' shared by two threads"


@pytest.mark.kernel
def test_a_model_gives_no_result_until_its_kernels_pass(unchecked):
    model, batch = goldens.backbone("odd_width"), goldens.inputs("odd_width")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(self_check.HASHES, "layer.gelu", "another")
        for call in (model.prepare, lambda: model(batch), lambda: model.encode_ragged([[1, 2]])):
            with pytest.raises(KernelError, match="failed their self-check"):
                call()
    assert set(model(batch)) == set(goldens.OUTPUTS)


@pytest.mark.kernel
def test_it_runs_once_and_again_for_the_first_model_with_more_threads(unchecked, monkeypatch):
    asked = []
    monkeypatch.setattr(self_check, "check", lambda threads: not asked.append(threads))
    for threads in (1, 1, 1, 2, 1, 7, 2):
        self_check.check_once(threads)
    assert asked == [1, 2]


def test_it_runs_again_where_the_threads_were_busy(unchecked, monkeypatch):
    answers = [False, False, True]
    monkeypatch.setattr(self_check, "check", lambda threads: answers.pop(0))
    for _ in range(5):
        self_check.check_once(4)
    assert answers == []


@pytest.mark.kernel
def test_many_first_callers(unchecked, monkeypatch):
    """All of them wait for the one check."""
    model, batch = goldens.backbone("deep", 2), goldens.inputs("deep")
    expected, checks, found = goldens.sha256(goldens.backbone("deep")(batch)), [], []
    monkeypatch.setattr(self_check, "_passed", 0)
    check = self_check.check
    monkeypatch.setattr(self_check, "check", lambda n: checks.append(n) or check(n))
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
    assert checks == [2]


# -- kernels with a mistake ------------------------------------------------------------------------

REFUSED_AT = {  # mistake -> the stage that shows it
    "nothing": None,
    "unfused": "embeddings",
    "tile": "layer.gelu_approximate",
    "epilogue": "layer.gelu_approximate",
}


@pytest.mark.kernel
@pytest.mark.slow
def test_a_mistake_in_the_kernels_is_refused():
    """Compiled without optimization, which takes half the time and changes no bit."""
    path = os.pathsep.join([str(TESTS.parent), str(TESTS)])
    env = {**os.environ, "PYTHONPATH": path, "NUMBA_OPT": "0"}
    script = TESTS / "engine" / "sabotage.py"
    running = {
        mistake: subprocess.Popen(
            [sys.executable, script, mistake], env=env, stdout=subprocess.PIPE, text=True
        )
        for mistake in REFUSED_AT
    }
    said = {mistake: process.communicate(timeout=300)[0] for mistake, process in running.items()}
    assert said == {
        mistake: "passed\n" if stage is None else f"refused at stage {stage!r}\n"
        for mistake, stage in REFUSED_AT.items()
    }
