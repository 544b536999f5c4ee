"""A report as plain data."""

from __future__ import annotations

import json

from npbert.parity.types import Report, StageReport, TokenReport


def test_a_report_becomes_plain_data():
    stage = StageReport(
        stage="layer.0.key",
        shapes=((2, 3), (2, 3)),
        dtypes=("float32", "float64"),
        tolerance=0.5,
        noise=None,
        difference=None,
        padded=None,
        outside=0.0,
        errors=(None, 1.0),
        local=(None, None),
        agrees=True,
    )
    found = Report({"name": "x"}, {}, "agree", [stage], tokens=TokenReport(3, 0)).to_dict()
    assert json.loads(json.dumps(found))["stages"][0]["errors"] == [None, 1.0]
    assert found["tokens"]["texts"] == 3
    assert found["a"] == {"name": "x"}
