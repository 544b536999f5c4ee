"""npbert's ops alone, and a forward pass as the sum of them: the tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from npbert.bench.op_cases import GELU, WHOLE
from npbert.bench.process import EngineError
from npbert.bench.report import Section, milliseconds
from npbert.bench.session import Session

SHAPE: Final = (8, 128)
QUICK_SHAPE: Final = (2, 19)
OP_COLUMNS: Final = (
    *("op", "shape", "best ms", "median ms", "GFLOP/s", "% of peak", "GB/s", "% of copying"),
)
PROFILE_COLUMNS: Final = ("op", "ms", "% of the pass", "GFLOP/s", "% of peak")
Line = Mapping[str, Any]


def run(session: Session) -> tuple[str, list[Section], Any]:
    """Measure on one thread: a name for the record, two tables, and their data."""
    name, shape = ("tiny", QUICK_SHAPE) if session.settings.quick else ("bert-base", SHAPE)
    batch, tokens = shape
    try:
        with session.bar("npbert's kernels", 2) as advance:
            peak = _peak(session)
            advance(1)
            model = str(session.model(name))
            measured = session.yardstick().ask("kernels", batch=batch, tokens=tokens, model=model)
            advance(1)
            peak = max(peak, _peak(session))
    except EngineError as error:
        failed = Section("npbert's kernels", "", ("op",), [["FAILED"]], [str(error)])
        return "kernels", [failed], {"error": str(error)}
    about = f"one thread, at the sizes of {name} {batch} x {tokens}; peak {peak / 1e9:.1f} GFLOP/s"
    ops = Section("npbert's ops one by one", about, OP_COLUMNS, [])
    ops.left = 2
    ops.rows = [_op_cells(line, peak) for line in measured["ops"]]
    ops.notes = ["GB/s: what an op must read and write; copying: NumPy's of as many bytes"]
    profile = Section("a forward pass op by op", about, PROFILE_COLUMNS, [])
    profile.rows = _profile(measured["profile"], peak)
    profile.notes = [
        f"each op by itself, all layers; in a pass the {GELU.partition(',')[0]} is computed where"
        " the intermediate product leaves the registers, so the sum may exceed the whole"
    ]
    return "kernels", [ops, profile], {"peak": peak, **measured}


def _peak(session: Session) -> float:
    return float(session.yardstick().ask("peak", threads=1)["flops"])


def _op_cells(line: Line, peak: float) -> list[str]:
    best, flops, size = line["best"], line["flops"], line["bytes"]
    return [
        *(line["op"], line["shape"], milliseconds(best), milliseconds(line["median"])),
        *((f"{flops / best / 1e9:.1f}", f"{flops / best / peak:.0%}") if flops else ("-", "-")),
        *((f"{size / best / 1e9:.1f}", f"{line['copy'] / best:.0%}") if size else ("-", "-")),
    ]


def _profile(lines: Sequence[Line], peak: float) -> list[list[str]]:
    """The steps, their sum, and the whole."""
    steps = [line for line in lines if line["op"] != WHOLE]
    whole = next(line for line in lines if line["op"] == WHOLE)
    total = {"op": "the sum", "best": sum(s["best"] for s in steps), "flops": whole["flops"]}
    return [_profile_cells(line, whole, peak) for line in (*steps, total, whole)]


def _profile_cells(line: Line, whole: Line, peak: float) -> list[str]:
    best, flops = line["best"], line["flops"]
    share = f"{best / whole['best']:.1%}"
    rate = (f"{flops / best / 1e9:.1f}", f"{flops / best / peak:.0%}") if flops else ("-", "-")
    return [line["op"], milliseconds(best), share, *rate]
