"""The tables of npbert's ops."""

from __future__ import annotations

import pytest

from npbert.bench import by_op
from npbert.bench.process import EngineError


@pytest.mark.kernel
def test_two_tables(session):
    name, (ops, profile), data = by_op.run(session)
    assert (name, data["peak"] > 1e8) == ("kernels", True)
    assert ops.rows[0][0] == "lookup"
    assert [line[0] for line in profile.rows][-2:] == ["the sum", "the whole pass"]
    assert profile.rows[-1][2] == "100.0%"


def test_a_product_is_judged_by_the_peak_and_the_rest_by_copying():
    line = {
        "op": "o",
        "shape": "s",
        "best": 0.01,
        "median": 0.02,
        "flops": 0,
        "bytes": 0,
        "copy": 0,
    }
    product = by_op._op_cells({**line, "flops": 10**9}, 200e9)
    assert product == ["o", "s", "10", "20", "100.0", "50%", "-", "-"]
    other = by_op._op_cells({**line, "bytes": 10**8, "copy": 0.008}, 200e9)
    assert other == ["o", "s", "10", "20", "-", "-", "10.0", "80%"]


def test_the_sum_of_the_ops():
    lines = [
        {"op": "a", "best": 0.03, "flops": 6 * 10**9},
        {"op": "b", "best": 0.01, "flops": 0},
        {"op": "the whole pass", "best": 0.05, "flops": 6 * 10**9},
    ]
    assert by_op._profile(lines, 400e9) == [
        ["a", "30", "60.0%", "200.0", "50%"],
        ["b", "10", "20.0%", "-", "-"],
        ["the sum", "40", "80.0%", "150.0", "38%"],
        ["the whole pass", "50", "100.0%", "120.0", "30%"],
    ]


def test_a_failure_is_shown(session, monkeypatch):
    def broken(_):
        raise EngineError("KernelError: no fused multiply-add")

    monkeypatch.setattr(by_op, "_peak", broken)
    _, (section,), data = by_op.run(session)
    assert section.notes == [data["error"]] == ["KernelError: no fused multiply-add"]
