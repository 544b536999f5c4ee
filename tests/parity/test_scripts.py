"""A script for a bug report runs, and fails as long as the sides part."""

from __future__ import annotations

import dataclasses
import shutil
import subprocess
import sys
from pathlib import Path

import goldens
import numpy as np
import pytest
from parity.sides import golden

from npbert.parity import scripts
from npbert.parity.compare import compare

ROOT = Path(__file__).parents[2]
PRESET = ROOT / "golden" / "presets" / "hf_tiny"
CASE = "deep"


@pytest.fixture(scope="module")
def report():
    found = compare(golden(CASE), golden(CASE), inputs=goldens.inputs(CASE))
    sides = [
        {"name": name, "environment": {"npbert": "1"}}
        for name in (f"{PRESET}", f"{PRESET}@float64")
    ]
    return dataclasses.replace(found, a=sides[0], b=sides[1])


def run(text, folder):
    script = folder / "script.py"
    script.write_text(text, encoding="utf-8")
    return subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=ROOT)


@pytest.mark.kernel
@pytest.mark.parametrize(("limit", "code"), [(1e-12, 1), (10.0, 0)])
def test_of_a_row_of_ids(report, tmp_path, limit, code):
    names = ("token_ids", "segment_ids", "padding_mask")
    inputs = {name: np.full((1, 2), int(name != "segment_ids")) for name in names}
    text = scripts.of_inputs(report, "layer.0.value", inputs, 0.1, limit, 1)
    assert "(npbert 1): layer.0.value is 1.00e-01 apart, where" in text.replace("\n# ", " ")
    done = run(text, tmp_path)
    assert done.returncode == code, done.stderr
    assert " apart at (" in done.stdout


@pytest.mark.kernel
def test_of_a_text(report, tmp_path):
    folder = tmp_path / "model"
    shutil.copytree(PRESET, folder)
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "mill", "it", "'", "s"]
    (folder / "vocab.txt").write_text("\n".join(words) + "\n", encoding="utf-8")
    ours = {**report.a, "name": str(folder)}
    report = dataclasses.replace(report, a=ours, b={**ours, "name": f"{folder}@float64"})
    same = run(scripts.of_text(report, "text.tokens", "the mill", 2, 0.5), tmp_path)
    assert same.returncode == 0, same.stderr
    assert same.stdout.splitlines()[0] == same.stdout.splitlines()[1]
    text = scripts.of_text(report, "text.vector", "it's", 0.1, 1e-12)
    assert 'text = "it\'s"' in text
    assert "text.vector is 1.00e-01 apart" in text.replace("\n# ", " ")
