"""How far npbert, TensorFlow and JAX in float32 are from float64: ``python tests/accuracy.py``.

Every golden case carries 28 fixed-seed sequences (its accuracy set) and what Keras Hub made of
them: in float64 on TensorFlow, which is the truth here, and in float32 on TensorFlow and JAX. For
each sequence and each of the two outputs, the root-mean-square error of npbert over that of a
backend is one ratio; the table has their geometric means. Below 1 is closer to float64 than Keras.
A second table has the other dtype policies, see `policy_accuracy`.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

if __name__ == "__main__":  # run as a script, from anywhere
    sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]

import goldens

BACKENDS = {"tf32": "TensorFlow", "jax32": "JAX"}
FLOOR = 1e-6
"""Below it a case's maximum error is a handful of roundings, and a ratio of two says little."""

F64 = NDArray[np.float64]


class Case(NamedTuple):
    """The errors of one case; arrays of logarithms have one value a sequence and output."""

    name: str
    log_ratios: dict[str, F64]  # backend -> log(npbert's RMS error / the backend's)
    largest: float  # npbert's largest error
    worst: float  # the worse backend's largest error

    @property
    def excess(self) -> float:
        """npbert's largest error over the worse backend's, or over FLOOR if that is larger."""
        return self.largest / max(self.worst, FLOOR)


def errors(case: str) -> dict[str, list[F64]]:
    """npbert and backend -> |output - float64| of both outputs, (A, ...) each."""
    bundle = goldens.bundle(case)
    exact = bundle.group("accuracy.tf64")
    ours = goldens.backbone(case)(goldens.inputs(case, "accuracy.inputs"))
    outputs = {"npbert": ours} | {b: bundle.group(f"accuracy.{b}") for b in BACKENDS}
    return {
        who: [np.abs(theirs[name] - exact[name]) for name in goldens.OUTPUTS]
        for who, theirs in outputs.items()
    }


def rms(error: F64) -> F64:  # (A, ...) -> (A,)
    """The root-mean-square error of each sequence."""
    return np.sqrt(np.square(error).reshape(len(error), -1).mean(axis=1))


def measure(case: str) -> Case:
    """One case's row of the table."""
    found = errors(case)
    ratios = {
        backend: np.concatenate(
            [np.log(rms(a) / rms(b)) for a, b in zip(found["npbert"], found[backend], strict=True)]
        )
        for backend in BACKENDS
    }
    largest = {who: max(float(e.max()) for e in each) for who, each in found.items()}
    return Case(case, ratios, largest["npbert"], max(largest[b] for b in BACKENDS))


def cases() -> list[Case]:
    """Every case that has an accuracy set."""
    return [measure(case) for case in goldens.KERAS_CASES]


def mean_ratio(measured: list[Case], backend: str) -> float:
    """The geometric mean over all sequences and outputs."""
    return math.exp(np.concatenate([case.log_ratios[backend] for case in measured]).mean())


def table(measured: list[Case]) -> str:
    """The table of the README, in Markdown."""
    heads = [f"RMS error / {name}'s" for name in BACKENDS.values()]
    lines = [
        f"| case | sequences | {' | '.join(heads)} | max error / worse backend's |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    groups = [([case], case.name) for case in measured] + [(measured, "**all**")]
    for group, name in groups:
        count = sum(len(case.log_ratios["tf32"]) for case in group) // len(goldens.OUTPUTS)
        means = " | ".join(f"{mean_ratio(group, backend):.2f}" for backend in BACKENDS)
        lines.append(f"| {name} | {count} | {means} | {max(c.excess for c in group):.2f} |")
    return "\n".join(lines)


if __name__ == "__main__":
    import policy_accuracy

    print(table(cases()), policy_accuracy.table(), sep="\n\n")
