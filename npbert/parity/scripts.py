"""Scripts of a screen, to be pasted into a report of a bug: they fail as long as two sides part."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, Final

import numpy as np

from npbert.parity.token_search import TOKENS
from npbert.parity.types import Inputs, Report

_RUN: Final = """\
import numpy as np

from npbert.parity import open_source

inputs = {{
{inputs}
}}
a = open_source({a!r}).run(inputs)[{stage!r}].astype(float)
b = open_source({b!r}).run(inputs)[{stage!r}].astype(float)
apart = np.abs(a - b)
at = np.unravel_index(apart.argmax(), apart.shape)
print(f"{{apart[at]:.3g}} apart at {{at}}: {{a[at]:.9g}} and {{b[at]:.9g}}")
assert apart[at] <= {limit:.3g}
"""

_ENCODE: Final = """\
import numpy as np

from npbert.parity import open_source

text = {text!r}
a = open_source({a!r}).encode([text])[{stage!r}].astype(float)
b = open_source({b!r}).encode([text])[{stage!r}].astype(float)
apart = np.abs(a - b).max()
print(f"{{apart:.3g}} apart")
assert apart <= {limit:.3g}
"""

_TOKENIZE: Final = """\
from npbert.parity import open_source

text = {text!r}
a = open_source({a!r}).tokenize([text]).tokens[0]
b = open_source({b!r}).tokenize([text]).tokens[0]
print(a)
print(b)
assert a == b
"""


def of_inputs(
    report: Report, stage: str, inputs: Inputs, apart: float, limit: float, layers: int | None
) -> str:
    """A script for one row of ids.

    Args:
        report: which names the sides and the cause.
        stage: where they part.
        inputs: (1, T) each.
        apart: by how much they part there.
        limit: how much is let pass.
        layers: how many layers it takes.
    """
    rows = [
        f'    "{name}": np.array({np.asarray(array).astype(int).tolist()}),'
        for name, array in inputs.items()
    ]
    code = _RUN.format(inputs="\n".join(rows), limit=limit, **_names(report, stage))
    first = "The first layer is" if layers == 1 else f"The first {layers} layers are"
    few = f" {first} enough." if layers else ""
    said = f"{stage} is {apart:.2e} apart, where {limit:.2e} is let pass.{few}"
    return _with_header(report, said, code)


def of_text(report: Report, stage: str, text: str, apart: float, limit: float) -> str:
    """A script for one text; see `of_inputs`."""
    template = _TOKENIZE if stage == TOKENS else _ENCODE
    code = template.format(text=text, limit=limit, **_names(report, stage))
    said = f"the tokens differ in {apart:.0f} places."
    if stage != TOKENS:
        said = f"{stage} is {apart:.2e} apart, where {limit:.2e} is let pass."
    return _with_header(report, said, code)


def _names(report: Report, stage: str) -> dict[str, str]:
    return {"a": str(report.a["name"]), "b": str(report.b["name"]), "stage": stage}


def _with_header(report: Report, said: str, code: str) -> str:
    lines = [f"a = {_side(report.a)}, b = {_side(report.b)}: {said}"]
    if report.diagnosis is not None:
        lines.append(report.diagnosis.sentence)
    wrapped = [piece for line in lines for piece in textwrap.wrap(line, 96)]
    return "".join(f"# {line}\n" for line in wrapped) + code


def _side(side: Mapping[str, Any]) -> str:
    environment = ", ".join(f"{k} {v}" for k, v in dict(side.get("environment") or {}).items())
    return f"{side['name']} ({environment})" if environment else str(side["name"])
