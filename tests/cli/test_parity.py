"""``npbert parity``: exit codes, reports, and what its options change."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from goldens import GOLDEN
from text.tiny_model import write_tiny_model

from npbert import parity
from npbert.parity.changes import Change
from npbert.parity.invariance import Invariance

from .conftest import Npbert

ERF, TANH = (f"bundle:{GOLDEN / name}#hf32" for name in ("hf_deep_erf", "hf_deep_tanh"))
TENSORFLOW, JAX = (f"bundle:{GOLDEN / 'deep'}#{source}" for source in ("tf32", "jax32"))


def unwrapped(shown: str) -> str:
    """Without the frame and the line breaks."""
    return re.sub(r"[\s│]+", " ", shown)


@pytest.fixture
def changed(tmp_path: Path) -> Path:
    """The tiny model with another activation."""
    path = write_tiny_model(tmp_path / "changed")
    config = json.loads((path / "config.json").read_text())
    (path / "config.json").write_text(json.dumps(config | {"hidden_act": "gelu_new"}))
    return path


# -- exit codes ------------------------------------------------------------------------------------


def test_0_they_agree(npbert: Npbert) -> None:
    done = npbert("parity", "compare", TENSORFLOW, JAX)
    assert done.code == 0
    assert done.out.startswith("✔ a and b agree: 49 stages, 55 weights; ")
    assert done.err == ""


def test_1_they_differ(npbert: Npbert) -> None:
    done = npbert("parity", "compare", ERF, TANH)
    assert done.code == 1
    first, second, *_ = done.out.splitlines()
    assert first.startswith("✘ a and b differ from layer.0.activation on: ")
    assert "tanh GELU" in second
    assert "▶ layer.0.activation" in done.out


def test_2_they_cannot_be_compared(npbert: Npbert, tmp_path: Path) -> None:
    np.savez(tmp_path / "other.npz", sequence_output=np.zeros((5, 4, 3), np.float32))
    done = npbert("parity", "compare", TENSORFLOW, f"npz:{tmp_path / 'other.npz'}")
    assert (done.code, "Traceback" in done.err) == (2, False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("bundle:no/such", "npbert: a file of the bundle cannot be read."),
        (f"bundle:{GOLDEN / 'deep'}", "the bundle has the stages of several sources"),
        ("bundel:x", "unknown kind of source 'bundel'"),
        ("no/such/model", "no model at"),
        ("onnx:", "the source names nothing"),
    ],
)
def test_2_a_side_cannot_be_read(npbert: Npbert, spec: str, message: str) -> None:
    for sides in ((spec, JAX), (JAX, spec)):
        done = npbert("parity", "compare", *sides)
        assert (done.code, done.out) == (2, "")
        assert message in done.err
        assert "Traceback" not in done.err


def test_2_a_library_is_missing(npbert: Npbert, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    done = npbert("parity", "compare", JAX, f"torch:{GOLDEN / 'presets' / 'hf_tiny'}")
    assert done.code == 2
    assert "fix:      pip install" in done.err


def test_2_npbert_itself_is_broken(npbert: Npbert, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("a mistake")

    monkeypatch.setattr(parity, "compare", broken)
    done = npbert("parity", "compare", TENSORFLOW, JAX)
    assert (done.code, done.out) == (2, "")
    assert "ZeroDivisionError: a mistake" in done.err


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (("--tol", "layer.0.query"), "--tol layer.0.query is not STAGE=VALUE"),
        (("--tol", "x=-1"), "--tol x=-1 is not STAGE=VALUE"),
        (("--tol", "x=nan"), "--tol x=nan is not STAGE=VALUE"),
        (("--tol", "=1"), "--tol =1 is not STAGE=VALUE"),
        (("--texts", "no/such/file"), "does not exist"),
    ],
)
def test_wrong_usage_is_2(npbert: Npbert, option: tuple[str, str], message: str) -> None:
    done = npbert("parity", "compare", TENSORFLOW, JAX, *option)
    assert (done.code, done.out) == (2, "")
    assert message in unwrapped(done.err)


# -- reports and options ---------------------------------------------------------------------------


def test_reports_are_written(npbert: Npbert, tmp_path: Path) -> None:
    files = [tmp_path / f"report{ending}" for ending in (".html", ".json", ".xml", ".md")]
    options = [each for file in files for each in ("--report", file)]
    assert npbert("parity", "compare", ERF, TANH, "--no-diagnose", *options).code == 1
    page, data, junit, markdown = (file.read_text(encoding="utf-8") for file in files)
    assert page.startswith("<!DOCTYPE html>")
    assert json.loads(data)["first"] == "layer.0.activation"
    assert json.loads(data)["diagnosis"] is None
    assert 'name="layer.0.activation"' in junit
    assert markdown.startswith("## ❌")


def test_a_report_that_cannot_be_written_is_refused_at_once(npbert: Npbert, tmp_path: Path) -> None:
    for name, message in (("x.txt", "no report has this ending"), ("no/x.md", "could not be")):
        done = npbert("parity", "compare", ERF, TANH, "--report", tmp_path / name)
        assert (done.code, done.out) == (2, "")
        assert message in done.err


def test_tolerances(npbert: Npbert) -> None:
    assert npbert("parity", "compare", ERF, TANH, "--tol", "*=1").code == 0
    done = npbert("parity", "compare", TENSORFLOW, JAX, "--tol", "layer.1.key=0")
    assert done.code == 1
    assert "differ from layer.1.key on" in done.out
    done = npbert("parity", "compare", TENSORFLOW, JAX, "--tol", "layer.*.kye=0")
    assert done.code == 2
    assert "unknown stage or pattern 'layer.*.kye'" in done.err


def test_a_record_cannot_be_shrunk(npbert: Npbert) -> None:
    done = npbert("parity", "compare", ERF, TANH, "--no-diagnose", "--shrink")
    assert done.code == 1
    assert "nothing to shrink: a side knows no other inputs than its own" in done.err


@pytest.mark.kernel
def test_texts_and_a_script_for_a_bug_report(
    npbert: Npbert, model: Path, changed: Path, tmp_path: Path
) -> None:
    (tmp_path / "texts.txt").write_text("the river runs\nour old mill\n")
    texts = ("--texts", tmp_path / "texts.txt", "--text", "the stone")
    assert npbert("parity", "compare", model, model, *texts).code == 0
    done = npbert("parity", "compare", model, changed, *texts, "--shrink")
    assert done.code == 1
    assert "the same for 3 texts" in done.out
    script = done.out[done.out.index("\n# a = ") :]
    assert "assert apart[at] <=" in script
    compile(script, "script", "exec")


def test_a_file_without_texts(npbert: Npbert, tmp_path: Path) -> None:
    (tmp_path / "texts.txt").write_text("")
    done = npbert("parity", "compare", ERF, TANH, "--texts", tmp_path / "texts.txt")
    assert done.code == 2
    assert "holds no texts" in unwrapped(done.err)
    (tmp_path / "texts.txt").write_bytes(b"\xff")
    done = npbert("parity", "compare", ERF, TANH, "--texts", tmp_path / "texts.txt")
    assert done.code == 2
    assert "the texts are not UTF-8" in done.err


def test_auto_map(npbert: Npbert, tmp_path: Path) -> None:
    """A port that calls its last stage by a name of its own."""
    (tmp_path / "port.py").write_text(
        "from npbert.parity.bundle import load_bundle\n"
        f"shown = load_bundle({str(GOLDEN / 'deep')!r}).group('jax32')\n"
        "def run(token_ids, segment_ids, padding_mask):\n"
        "    return {'mine': shown['layer.2.output_layer_norm']}\n"
    )
    port = f"py:{tmp_path / 'port.py'}:run"
    assert npbert("parity", "compare", TENSORFLOW, port).code == 2
    done = npbert("parity", "compare", TENSORFLOW, port, "--auto-map")
    assert done.code == 0
    assert "agree: 1 stage" in done.out


# -- record and invariance -------------------------------------------------------------------------


@pytest.mark.kernel
def test_a_record_agrees_with_its_source(npbert: Npbert, model: Path, tmp_path: Path) -> None:
    done = npbert("parity", "record", model, tmp_path / "case", "--text", "the old mill")
    assert (done.code, done.out) == (0, "")
    assert "case.safetensors: 0." in done.err
    assert npbert("parity", "compare", model, f"bundle:{tmp_path / 'case'}").code == 0
    done = npbert("parity", "record", "bundle:no/such", tmp_path / "other")
    assert done.code == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["case.json", "case.safetensors"]


@pytest.mark.kernel
def test_invariance(npbert: Npbert, model: Path) -> None:
    texts = ("--text", "the river runs past", "--text", "a mill")
    done = npbert("parity", "invariance", model, *texts)
    assert done.code == 0
    assert "gives the same bits, whatever else is in the batch" in unwrapped(done.out)
    found = json.loads(npbert("parity", "invariance", model, *texts, "--json").out)
    assert found["bit_equal"] is True
    assert {change["what"] for change in found["changes"]} >= {"batch size", "order", "threads"}


def test_1_a_source_that_is_not_invariant(npbert: Npbert, monkeypatch: pytest.MonkeyPatch) -> None:
    change = Change(
        "order", "the rows in reverse", 7, False, "layer.0.key", "pooled_output", np.inf
    )
    monkeypatch.setattr(parity, "invariance", lambda *_: Invariance("x", "onnx", [change]))
    done = npbert("parity", "invariance", JAX)
    assert done.code == 1
    assert "x (onnx) gives other numbers with other order." in done.out
    assert '"max_abs": "Infinity"' in npbert("parity", "invariance", JAX, "--json").out


def test_2_a_record_cannot_be_run_again(npbert: Npbert) -> None:
    done = npbert("parity", "invariance", JAX)
    assert (done.code, done.out) == (2, "")
    assert "a record cannot be run again" in done.err


@pytest.mark.parametrize("verb", ["compare", "record", "invariance"])
def test_the_help_teaches_the_sources(npbert: Npbert, verb: str) -> None:
    for _ in range(2):
        done = npbert("parity", verb, "--help")
        text = unwrapped(done.out)
        assert done.code == 0
        assert text.count("A source is one of these: npbert:MODEL[@DTYPE] any preset") == 1
        assert "py:MODULE:FUNCTION" in text
        assert f"Example: npbert parity {verb}" in text
    done = npbert("parity")
    assert "Say whether two BERTs agree" in unwrapped(done.out + done.err)
