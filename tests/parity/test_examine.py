"""Two sides, looked at op by op: which of them is off, and where else."""

from __future__ import annotations

import goldens
import numpy as np

from npbert import reference
from npbert.parity.examine import examine, kind_of
from npbert.parity.graph import graph
from npbert.parity.replay import Replay
from npbert.parity.search import Suspect

CASE = "deep"
CONFIG, INPUTS, WEIGHTS = goldens.config(CASE), goldens.inputs(CASE), goldens.weights(CASE)


def recorded(**wrong):
    """A float32 run in which stages are made otherwise: ``{stage: what it is made of}``."""
    replay = Replay(graph(CONFIG), WEIGHTS, INPUTS, {})
    steps = graph(CONFIG)
    variant = {stage: steps[stage]._replace(op=op(steps[stage].op)) for stage, op in wrong.items()}
    return {s: replay.compute(s, variant, np.float32).astype(np.float32) for s in steps}


def look(a, b, first=None, tolerance=0.0, guilty=None):
    suspects = {
        side: Suspect(
            Replay(graph(CONFIG), WEIGHTS, INPUTS, stages),
            CONFIG,
            dict.fromkeys(graph(CONFIG), tolerance),
        )
        for side, stages in (("b", b), ("a", a))
    }
    return examine(suspects, first, guilty)


RIGHT = recorded()


def without(*kept):
    """Only some of the arguments count."""
    return lambda op: lambda *x: op(*(each if i in kept else 0 * each for i, each in enumerate(x)))


def test_healthy_sides():
    seen = {}
    single = {name: tensor.astype(np.float32) for name, tensor in WEIGHTS.items()}
    reference.forward(CONFIG, single, **INPUTS, seen=seen.__setitem__)
    assert look(RIGHT, seen, "layer.0.query") == []


def test_a_fault_in_several_layers_is_one():
    stages = [f"layer.{i}.output" for i in (0, 2)]
    wrong = recorded(**dict.fromkeys(stages, without(0, 1)))
    [finding] = look(RIGHT, wrong)
    assert (finding.side, finding.stages) == ("b", stages)
    assert finding.found.cause == "bias_missing"
    assert finding.error == finding.found.before > 1e4 * finding.noise


def test_the_side_is_the_one_whose_op_is_off():
    wrong = recorded(**{"layer.1.value": without(0, 1)})
    [finding] = look(wrong, RIGHT)
    assert (finding.side, finding.stages) == ("a", ["layer.1.value"])


def test_both_sides():
    a = recorded(**{"layer.2.value": without(0, 1)})
    b = recorded(**{"layer.1.key": without(0, 1)})
    assert [(f.side, f.stages) for f in look(a, b)] == [
        ("b", ["layer.1.key"]),
        ("a", ["layer.2.value"]),
    ]


def test_what_both_do_alike_does_not_set_them_apart():
    both = {"layer.1.key": without(0, 1)}
    assert look(recorded(**both), recorded(**both)) == []
    [finding] = look(recorded(**both), recorded(**both, **{"layer.2.value": without(0, 1)}))
    assert finding.stages == ["layer.2.value"]


def test_an_unknown_fault_does_not_hide_the_next():
    odd = lambda op: lambda *x: op(*x)[..., ::-1]  # noqa: E731
    wrong = {"layer.0.output": odd, "layer.1.output": odd, "layer.2.key": without(0, 1)}
    unknown, known = look(RIGHT, recorded(**wrong))
    assert (unknown.found, unknown.stages) == (None, ["layer.0.output", "layer.1.output"])
    assert (known.found.cause, known.stages) == ("bias_missing", ["layer.2.key"])


def test_below_the_tolerance_the_op_that_stands_out_is_taken():
    small = lambda op: lambda x, g, b: op(x, g, b) * np.float32(1 + 1e-5)  # noqa: E731
    wrong = recorded(**{"layer.1.output_layer_norm": small})
    assert look(RIGHT, wrong, None, tolerance=1e-3) == []
    [finding] = look(RIGHT, wrong, "sequence_output", tolerance=1e-3)
    assert (finding.found, finding.stages) == (None, ["layer.1.output_layer_norm"])


def test_an_op_that_was_judged_to_be_off_is_taken_though_it_could_be_rounding():
    small = lambda op: lambda x, g, b: op(x, g, b) * np.float32(1 + 5e-7)  # noqa: E731
    stage = "layer.1.output_layer_norm"
    wrong = recorded(**{stage: small})
    assert look(RIGHT, wrong, stage, tolerance=1e-3) == []
    assert look(RIGHT, wrong, stage, tolerance=1e-3, guilty="layer.2.query") == []
    [finding] = look(RIGHT, wrong, stage, tolerance=1e-3, guilty=stage)
    assert (finding.side, finding.stages) == ("b", [stage])


def test_the_same_fault_below_the_tolerance_is_added_to_the_first():
    def norm(epsilon):
        return lambda op: lambda *x: op.func(*x, epsilon=epsilon)

    stages = [f"layer.{i}.output_layer_norm" for i in range(3)]
    wrong = recorded(**dict(zip(stages, map(norm, (1e-4, 1e-2, 1e-4)))))
    [finding] = look(RIGHT, wrong, tolerance=1e-3)
    assert finding.found.cause == "layer_norm_epsilon"
    assert finding.stages == stages
    assert "0.0001" in finding.found.says  # of the first


def test_kinds():
    assert [kind_of(s) for s in ("layer.2.query", "pooled_output")] == ["query", "pooled_output"]
