"""How far each engine in float32 is from float64, on the same inputs and weights.

The truth is transformers' BertModel in float64 (for Keras Hub, the same with its GELU). For each
input, the root-mean-square error of npbert over that of a peer is one ratio; the table has their
geometric mean. Below 1, npbert is closer to the truth.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npbert.bench import checks, experiments, models, works
from npbert.bench.engines import ENGINES, Entry, why_not
from npbert.bench.process import EngineError
from npbert.bench.report import LOSS, Section
from npbert.bench.session import Session
from npbert.bench.works import Batch

LENGTHS: Final = (8, 16, 24, 40, 64, 96, 128)
EACH: Final = 8  # inputs of each length, one batch of each
COLUMNS: Final = (
    *("engine", "model", "inputs", "RMS error", "npbert's RMS error / its own"),
    *("largest error", "npbert's largest / its own"),
)
Truth = Mapping[str, checks.Vectors]


def run(session: Session) -> tuple[str, list[Section], Any]:
    """Measure every engine on every model: a name for the record, a table, and its data."""
    names = ("tiny",) if session.settings.quick else ("bert-base", "minilm")
    about = (
        f"{len(LENGTHS) * EACH} inputs of {min(LENGTHS)} to {max(LENGTHS)} tokens against"
        " transformers' BertModel in float64; errors of all hidden states; geometric means of the"
        " ratios, input by input"
    )
    section = Section("accuracy", about, COLUMNS, [])
    section.left = 2
    data: list[dict[str, Any]] = []
    for name in names:
        for found in _model(session, name, section):
            data.append(found)
            section.rows.append(_cells(found))
    return "accuracy", [section], data


def _model(session: Session, name: str, section: Section) -> list[dict[str, Any]]:
    """One model's rows, npbert's first."""
    model = session.model(name)
    session.keep(model)
    config = models.config_of(model)
    lengths = [T for T in LENGTHS for _ in range(EACH)]
    sequences = works.draw(lengths, config.vocabulary_size, session.settings.seed)
    batches = [works.pad(sequences, range(i, i + EACH)) for i in range(0, len(lengths), EACH)]
    entries = [entry for entry in session.entries if "shape" in entry.works]
    truths = {"npbert": ENGINES["torch-float64"], "npbert-tanh": ENGINES["torch-float64-tanh"]}
    wanted = {entry.reference for entry in entries}
    outputs: dict[str, checks.Vectors] = {}
    listed = [*(truths[each] for each in sorted(wanted)), *entries]
    with session.bar(f"accuracy: {name}", len(listed)) as advance:
        for entry in listed:
            try:
                outputs[entry.name] = _outputs(session, entry, name, batches)
            except EngineError as error:
                section.notes.append(f"{entry.name} on {name} FAILED: {error}")
            advance(1)
    return [
        _compare(entry, name, outputs, truths[entry.reference].name)
        for entry in entries
        if {entry.name, entry.reference, truths[entry.reference].name} <= outputs.keys()
    ]


def _outputs(session: Session, entry: Entry, name: str, batches: Sequence[Batch]) -> checks.Vectors:
    if reason := why_not(entry):
        raise EngineError(reason)
    process = session.engine(entry, session.model(name), max(session.settings.threads))
    found = experiments.compute(session, process, f"accuracy {name}", batches)
    if not entry.race:  # the truth is needed once, and twice as large
        session.release(process)
    return found


def _compare(
    entry: Entry, name: str, outputs: Mapping[str, checks.Vectors], truth: str
) -> dict[str, Any]:
    exact = outputs[truth]
    theirs, ours = (errors(outputs[who], exact) for who in (entry.name, entry.reference))
    return {
        "engine": entry.name,
        "model": name,
        "inputs": len(theirs),
        "rms": float(np.exp(np.log(theirs[:, 0]).mean())),
        "rms_ratio": float(np.exp(np.log(ours[:, 0] / theirs[:, 0]).mean())),
        "largest": float(theirs[:, 1].max()),
        "largest_ratio": float(ours[:, 1].max() / theirs[:, 1].max()),
    }


def errors(found: checks.Vectors, exact: checks.Vectors) -> NDArray[np.float64]:
    """(inputs, 2): the root mean square and the largest error of each input's hidden states."""
    differences = [np.abs(found[i].astype(np.float64) - exact[i]) for i in sorted(exact)]
    return np.array([(np.sqrt(np.square(d).mean()), d.max()) for d in differences])


def _cells(found: Mapping[str, Any]) -> list[str]:
    itself = ENGINES[found["engine"]].reference == found["engine"]
    ratios = (found["rms_ratio"], found["largest_ratio"])
    shown = ["1" if itself else _better_below(each) for each in ratios]
    return [
        *(found["engine"], found["model"], str(found["inputs"]), f"{found['rms']:.2e}", shown[0]),
        *(f"{found['largest']:.1e}", shown[1]),
    ]


def _better_below(value: float) -> str:
    return f"{value:.2f}" if value <= 1 else f"{value:.2f} {LOSS}"
