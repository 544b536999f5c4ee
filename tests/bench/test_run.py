"""A whole run, and its record."""

from __future__ import annotations

import json
import sys

import pytest
from bench.conftest import ALONE

from npbert.bench import run as bench
from npbert.bench.report import Section
from npbert.errors import ConfigError, ModelFileError


@pytest.mark.kernel
def test_a_run_and_its_record():
    shown: list[Section] = []
    extra = Section("extra", "", ("x",), [["1"]])
    found = bench.run(ALONE, ["tiny-3x7"], [lambda session: ("more", [extra], 5)], shown.append)
    assert [section.title for section in shown] == [
        *("tiny-3x7", "extra", "npbert and the best peer", "engines")
    ]
    record = json.loads(json.dumps(bench.record(found, cpu=True)))
    assert (record["format"], record["more"], record["skipped"]) == (1, 5, {})
    assert record["settings"]["threads"] == [1, 2]
    assert record["races"][0]["rows"][0]["best"] > 0
    assert record["engines"]["npbert"]["settings"]["activation"] == "gelu"
    assert record["machine"]["cpus_usable"] >= 1
    assert "machine" not in bench.record(found, cpu=False)


def test_a_model_that_is_not_installed_is_left_out_and_said_so(monkeypatch):
    def missing(*_):
        raise ModelFileError("not installed.", fix="pip install it")

    monkeypatch.setattr("npbert.bench.models.find_installed", missing)
    found = bench.run(ALONE, ["minilm-2x3"])
    assert found.skipped == {"minilm-2x3": "not installed. pip install it"}
    assert "minilm-2x3 left out: not installed. pip install it" in found.sections[-1].notes


def test_texts_without_what_they_are_made_of_are_left_out(monkeypatch):
    """The races before them would be lost."""
    monkeypatch.setitem(sys.modules, "babel", None)
    (reason,) = bench.run(ALONE, ["tiny-text"]).skipped.values()
    assert reason.endswith("locale data among others. pip install 'npbert[bench]'")


def test_an_unknown_work_ends_the_run_at_once():
    with pytest.raises(ConfigError, match="no such work"):
        bench.run(ALONE, ["everything"])


def test_absent_engines_are_in_the_table():
    settings = bench.Settings(("npbert", "ctranslate2"), (1,))
    found = bench.Results(
        settings, absent={"ctranslate2": "not installed: pip install ctranslate2"}
    )
    rows = bench.engines_section(found).rows
    assert rows[1][2] == "not installed: pip install ctranslate2"
    assert rows[0][2] == "took no part"


def test_the_extras_have_names():
    assert list(bench.EXTRAS) == ["kernels", "accuracy", "latency", "reproducibility"]
