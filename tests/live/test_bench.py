"""``npbert bench`` with every peer: all take part, and compute what npbert computes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from live.peers import ROOT

from npbert.bench.checks import TOLERANCE
from npbert.bench.engines import ENGINES

pytestmark = pytest.mark.live

RACING = [name for name, entry in ENGINES.items() if entry.race and not entry.named]


@pytest.fixture(scope="module")
def record(tmp_path_factory):
    """What a quick run over everything found."""
    path = tmp_path_factory.mktemp("bench") / "record.json"
    command = [sys.executable, "-m", "npbert.cli", "bench", "--quick", "--save", str(path)]
    paths = os.pathsep.join([str(ROOT), *filter(None, [os.environ.get("PYTHONPATH")])])
    environment = {**os.environ, "PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, cwd=Path(ROOT))
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(path.read_text())


def races(record, kind):
    return next(race for race in record["races"] if race["work"] == f"tiny-{kind}")


def test_no_engine_is_absent(record):
    assert {name: found["absent"] for name, found in record["engines"].items()} == dict.fromkeys(
        RACING
    )
    assert record["skipped"] == {}


@pytest.mark.parametrize(
    ("kind", "work"), [("2x19", "shape"), ("ragged", "ragged"), ("text", "text")]
)
def test_every_engine_races_and_agrees(record, kind, work, measured):
    race = races(record, kind)
    assert {row["engine"] for row in race["rows"]} == {
        name for name in RACING if work in ENGINES[name].works
    }
    assert [row for row in race["rows"] if row["error"]] == []
    assert all(len(row["seconds"]) == race["rounds"] * race["calls"] for row in race["rows"])
    assert all(row["difference"] <= TOLERANCE for row in race["rows"])
    measured(f"bench, {kind}: largest difference {max(r['difference'] for r in race['rows']):.1e}")


def test_onnx_runtime_is_fused(record):
    assert record["engines"]["onnxruntime"]["settings"]["fused"] == (
        "1 EmbedLayerNormalization, 2 Attention, 2 BiasGelu, 4 SkipLayerNormalization"
    )


def test_errors_against_float64(record, measured):
    found = {each["engine"]: each for each in record["accuracy"]}
    assert set(found) == {name for name in RACING if "shape" in ENGINES[name].works}
    for name, each in found.items():
        assert each["rms"] < 1e-6, name
        measured(f"bench, accuracy: npbert's RMS error / {name}'s {each['rms_ratio']:.2f}")


def test_who_keeps_the_bits(record, measured):
    assert set(record["reproducibility"]["npbert"].values()) == {"all"}
    for name, found in record["reproducibility"].items():
        assert not any(count.startswith("FAILED") for count in found.values()), (name, found)
        measured(f"bench, bits of {name}: {found}")


def test_latency_of_every_engine(record):
    engines = {each["engine"] for each in record["latency"]}
    expected = {name for name in RACING if "shape" in ENGINES[name].works}
    assert engines == expected - {"npbert-tanh", "openvino-throughput"}


def test_a_pass_is_the_sum_of_its_ops(record):
    *steps, whole = record["kernels"]["profile"]
    assert sum(step["flops"] for step in steps) == whole["flops"] > 0
