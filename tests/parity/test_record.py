"""Bundles that are written from sources: what is in them, and that they replay."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path

import goldens
import ml_dtypes
import numpy as np
import pytest
from parity.sides import Side, golden

from npbert.errors import ConfigError, InputError
from npbert.parity.bundle import load_bundle, weight_hashes
from npbert.parity.compare import compare
from npbert.parity.record import record
from npbert.parity.sources import open_source
from npbert.parity.texts import TEXTS
from npbert.parity.types import Tokens

CASE = "deep"
module = importlib.import_module("npbert.parity.record")  # its name is the function's


class WithTexts(Side):
    """Its tokens are the text's words, its vectors their lengths."""

    def tokenize(self, texts):
        rows = [[7 + len(word) % 9 for word in text.split()] or [7] for text in texts]
        offsets = [[(0, len(row)) for _ in row] for row in rows]
        return Tokens(rows, [[str(id) for id in row] for row in rows], offsets)

    def encode(self, texts):
        lengths = np.float32([[len(text), text.count("a")] for text in texts])
        return {"text.vector": lengths, "text.pooling": lengths + 1}


def with_texts(**changes):
    side = golden(CASE)
    return WithTexts("words", config=side.config, tensors=side.tensors, model=side.model, **changes)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_bundle_replays_what_was_recorded(tmp_path, dtype):
    side, stem = golden(CASE, dtype), tmp_path / "new" / "case.v1"
    written = record(side, stem, inputs=goldens.inputs(CASE))
    assert sorted(p.name for p in stem.parent.iterdir()) == ["case.v1.json", "case.v1.safetensors"]
    again = open_source(f"bundle:{stem}")
    assert again.config == side.config
    found = side.run(goldens.inputs(CASE))
    stages = again.run(again.recorded)
    goldens.assert_same_bits(stages, {stage: np.array(value) for stage, value in found.items()})
    goldens.assert_same_bits(again.weights(), side.tensors)
    for name, array in goldens.inputs(CASE).items():
        np.testing.assert_array_equal(again.recorded[name], array)
    assert set(written.arrays) == set(load_bundle(stem).arrays)
    report = compare(side, again)
    assert (report.verdict, report.smallest_scale) == ("agree", 0)


def test_the_same_run_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        record(golden(CASE), tmp_path / name)
    for ending in (".json", ".safetensors"):
        one, two = (Path(f"{tmp_path / name}{ending}").read_bytes() for name in ("one", "two"))
        assert one == two


def test_texts_tokens_and_vectors(tmp_path):
    side = with_texts()
    record(side, tmp_path / "x")
    again = open_source(f"bundle:{tmp_path / 'x'}")
    assert again.texts == list(TEXTS)
    some = [TEXTS[5], TEXTS[2]]
    assert again.tokenize(some) == side.tokenize(some)
    np.testing.assert_array_equal(again.encode(some)["text.vector"], [[37, 0], [1, 0]])
    assert again.tokenize(["another"]) is again.encode(["another"]) is None
    B, T = again.recorded["token_ids"].shape
    assert B * T <= module.FEW_POSITIONS
    report = compare(again, side)
    assert report.verdict == "agree"
    assert (report.tokens.texts, report.tokens.offsets) == (len(TEXTS), 0)
    assert [each.stage for each in report.stages][-2:] == ["text.pooling", "text.vector"]


def test_texts_of_the_caller(tmp_path):
    texts = ["a b c", "d e"]
    bundle = record(with_texts(), tmp_path / "x", texts=texts)
    assert bundle.meta["texts"] == texts
    assert bundle.meta["tokens"]["tokens"] == [["8", "8", "8"], ["8", "8"]]
    assert bundle.arrays["inputs.padding_mask"].tolist() == [[1, 1, 1], [1, 1, 0]]


def test_a_record_of_a_record(tmp_path):
    record(with_texts(), tmp_path / "one")
    again = record(f"bundle:{tmp_path / 'one'}", tmp_path / "two")
    assert again.meta["texts"] == list(TEXTS)
    report = compare(*(open_source(f"bundle:{tmp_path / name}") for name in ("one", "two")))
    assert report.verdict == "agree"


def test_vectors_alone(tmp_path):
    side = WithTexts("server")
    side.tokenize = lambda texts: None
    record(side, tmp_path / "x", texts=["one", "banana"])
    again = open_source(f"bundle:{tmp_path / 'x'}")
    assert again.recorded is again.config is again.weights() is None
    report = compare(again, side)
    assert (report.verdict, len(report.stages)) == ("agree", 2)


@pytest.mark.parametrize("case", ["deep", "head_64", "presets/hf_tiny"])
def test_tiny_models_are_small(tmp_path, case):
    side = golden(case)
    shown = WithTexts(config=side.config, tensors=side.tensors, model=side.model)
    record(shown, tmp_path / "x")
    assert sum(path.stat().st_size for path in tmp_path.iterdir()) < 2e6


def test_of_large_models_hashes(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MOST_WEIGHT_BYTES", 1000)
    side = golden(CASE)
    bundle = record(side, tmp_path / "x")
    assert bundle.group("weights") == {}
    assert bundle.meta["weights_sha256"] == weight_hashes(side.tensors)
    again = open_source(f"bundle:{tmp_path / 'x'}")
    assert again.weights() is None
    notes = compare(again, side).notes
    assert "all weights are those of a's record, by their hashes" in notes
    changed = {**side.tensors, "pooled_dense/bias": side.tensors["pooled_dense/bias"] + 1}
    notes = compare(golden(CASE, tensors=changed), again).notes
    assert "these weights are not those of b's record: pooled_dense/bias" in notes


def test_hashes_are_of_dtype_shape_and_bytes():
    x = np.arange(6, dtype=np.float32).reshape(2, 3)
    others = (x.T, x.reshape(3, 2), x.astype(np.float64), x.view(np.int32), x + 1)
    hashes = [weight_hashes({"x": each})["x"] for each in (x, *others)]
    assert len(set(hashes)) == len(hashes)
    assert weight_hashes({"x": np.asfortranarray(x)})["x"] == hashes[0]
    assert weight_hashes({"x": x.astype(">f4")})["x"] == hashes[0]
    assert len(weight_hashes({"x": x.astype(ml_dtypes.bfloat16)})["x"]) == 64


def test_without_weights(tmp_path):
    bundle = record(golden(CASE), tmp_path / "x", weights=False)
    assert bundle.group("weights") == {}
    assert "weights_sha256" not in bundle.meta


def test_tolerances_are_those_of_the_budget(tmp_path):
    bundle = record(golden(CASE), tmp_path / "x", inputs=goldens.inputs(CASE))
    report = compare(golden(CASE), golden(CASE, np.float32), inputs=goldens.inputs(CASE))
    assert list(bundle.meta["tolerances"]) == [stage.stage for stage in report.stages]
    for stage in report.stages:
        assert bundle.meta["tolerances"][stage.stage] == (stage.tolerance, stage.bulk), stage.stage


def test_no_names_of_machines_and_no_paths(tmp_path):
    record(golden(CASE, name=f"torch:{tmp_path}/model"), tmp_path / "x")
    text = (tmp_path / "x.json").read_text(encoding="utf-8")
    assert str(tmp_path) not in text
    assert not re.search(r'"/|[A-Z]:\\|host', text)
    said = json.loads(text)["environment"]
    assert {"kind", "machine", "cpu", "cpu_features", "cpus", "python", "system"} <= set(said)


def test_nothing_to_record(tmp_path):
    with pytest.raises(InputError, match="shows nothing that could be recorded"):
        record(Side(), tmp_path / "x")
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "x.json").mkdir()
    with pytest.raises(ConfigError, match="no file can be written here"):
        record(golden(CASE), tmp_path / "x")
    assert not (tmp_path / "x.safetensors").exists()
