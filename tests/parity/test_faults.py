"""Faults planted in a model: each must be found where it is, and named only if it is known."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from parity import faulty
from parity.fault import Fault
from parity.faults import KNOWN, UNKNOWN

from npbert.parity.causes import CAUSES
from npbert.parity.diagnose import described
from npbert.parity.examine import examine
from npbert.parity.graph import graph
from npbert.parity.replay import Replay
from npbert.parity.search import Suspect
from npbert.parity.types import Diagnosis

TOLERANCE = 2e-6
SEED = time.time_ns() % 2**32


def suspects(weights, inputs, a, b, *, tolerance: float = TOLERANCE):
    steps = graph(faulty.CONFIG)
    tolerances = dict.fromkeys(steps, tolerance)
    return {
        side: Suspect(Replay(steps, weights, inputs, stages), faulty.CONFIG, tolerances)
        for side, stages in (("b", b), ("a", a))
    }


def plant(faults: dict[int, Fault], seed: int, shows: str = "") -> list[Diagnosis]:
    """The answers for a model with a fault at each of these layers, which shows some stages."""
    random = np.random.default_rng(seed)
    weights, inputs = faulty.draw_weights(random), faulty.draw_inputs(random)
    edited, wrong = weights, {}
    for i, fault in faults.items():
        edited = fault.weights(edited, i)
        wrong |= fault.wrong(i)
    a = faulty.Model(weights).run(inputs)
    b = faulty.Model(edited, wrong=wrong).run(inputs)
    b = {name: array for name, array in b.items() if re.search(shows, name)}
    apart = [s for s in a if s in b and not np.allclose(a[s], b[s], rtol=0, atol=TOLERANCE)]
    assert apart, "the fault changes nothing"
    findings = examine(suspects(weights, inputs, a, b), apart[0])
    return described(findings, faulty.CONFIG.num_layers)


@pytest.mark.parametrize("name", KNOWN)
def test_a_known_fault_is_named(name):
    fault = KNOWN[name]
    for layer in np.random.default_rng(SEED).choice(5, 3, replace=False):
        said, *also = plant({int(layer): fault}, SEED)
        assert (said.cause, said.stage) == (fault.cause, fault.stage.format(i=layer)), (SEED, said)
        assert said.side == "b"
        assert fault.says in said.sentence
        assert said.error_after < said.error_before / 5
        assert not also, (SEED, layer)


ELSEWHERE = {  # cause -> where a test of it is
    **dict.fromkeys(("gelu_erf", "tanh"), "the activations are tested in one"),
    **dict.fromkeys(("fully_masked", "mask_infinite"), "test_search: where no key is kept"),
    **dict.fromkeys(("layer_missing", "layers_left_out"), "test_search: the model is shorter"),
    "inputs_exchanged": "test_search: not a fault of the model",
    "num_heads": "test_compare: the shapes of half of attention are others",
    "constants_float32": "test_compare: TensorFlow's float64",
}


def test_every_mistake_is_planted():
    assert set(CAUSES) == {fault.cause for fault in KNOWN.values()} | set(ELSEWHERE)


@pytest.mark.parametrize("name", UNKNOWN)
def test_an_unknown_fault_is_not_named(name):
    fault = UNKNOWN[name]
    for layer in np.random.default_rng(SEED).choice(5, 3, replace=False):
        said, *_ = plant({int(layer): fault}, SEED)
        assert said.cause is None, (SEED, said)
        assert said.sentence.startswith(f"Cause unknown, first stage {fault.stage.format(i=layer)}")


HIDDEN_STATES = r"output_layer_norm|embeddings\.layer_norm|sequence_output|pooled_output"
UNTOLD = {  # what hidden states alone do not tell -> what may be said
    "query and key swapped": ("queries_keys_exchanged",),  # which is the same to them
    **dict.fromkeys(("output in float16", "activation in bfloat16", "dropout left on"), (None,)),
    "product in bfloat16": ("product_bfloat16", None),  # a query may be rounded to either side
    "product in TF32": ("product_tf32", None),
}
UNSEEN = (  # it may be rounding, as far as they show
    "bias twice",  # of keys, for which softmax has no eye
    "mask too small",
    "epsilon 1e-5",
)


@pytest.mark.parametrize("name", [name for name in KNOWN | UNKNOWN if name not in UNSEEN])
def test_hidden_states_alone(name):
    fault = (KNOWN | UNKNOWN)[name]
    layer = int(np.random.default_rng(SEED).integers(5))
    said, *also = plant({layer: fault}, SEED, HIDDEN_STATES)
    assert said.cause in UNTOLD.get(name, (fault.cause,)), (SEED, said)
    assert not also, (SEED, layer, also)


@pytest.mark.parametrize(
    "pair",
    [("tanh GELU", "query transposed"), ("no mask", "no beta"), ("epsilon 1e-3", "no scale")],
)
def test_two_faults_at_once(pair):
    first, second = sorted(np.random.default_rng(SEED).choice(6, 2, replace=False).tolist())
    said = plant({first: KNOWN[pair[0]], second: KNOWN[pair[1]]}, SEED)
    stages = [KNOWN[name].stage.format(i=i) for name, i in zip(pair, (first, second))]
    assert [each.stage for each in said] == stages, (SEED, said)
    assert [each.cause for each in said] == [KNOWN[name].cause for name in pair], (SEED, said)


def test_two_healthy_sides():
    random = np.random.default_rng(SEED)
    weights, inputs = faulty.draw_weights(random), faulty.draw_inputs(random)
    a, b = (faulty.Model(weights).run(inputs) for _ in range(2))
    assert examine(suspects(weights, inputs, a, b, tolerance=0.0), "pooled_output") == []
