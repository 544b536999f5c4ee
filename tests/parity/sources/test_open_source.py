"""Specs of sources: which kind is meant, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import GOLDEN

from npbert.errors import ConfigError, ModelFileError, NpbertError
from npbert.parity.sources import KINDS, open_source
from npbert.parity.sources.of_http import HttpSource
from npbert.parity.sources.of_npz import NpzSource


def test_each_kind_has_its_file(tmp_path):
    np.savez(tmp_path / "a.npz", sequence_output=np.ones((2, 3, 5)))
    assert isinstance(open_source(f"npz:{tmp_path / 'a.npz'}"), NpzSource)
    assert isinstance(open_source("http://127.0.0.1:9/embed"), HttpSource)
    assert open_source(f"bundle:{GOLDEN / 'deep'}#tf32").kind == "bundle"


@pytest.mark.kernel
def test_a_path_or_a_name_is_npbert(tmp_path, monkeypatch):
    path = GOLDEN / "presets" / "hf_tiny"
    for spec in (str(path), f"npbert:{path}"):
        source = open_source(spec)
        assert (source.kind, source.name) == ("npbert", spec)
    with pytest.raises(ModelFileError, match="no model at 'nowhere'"):
        open_source("nowhere")
    odd = tmp_path / "with:colon"
    odd.symlink_to(path)
    monkeypatch.chdir(tmp_path)
    assert open_source("with:colon").kind == "npbert"


def test_handles_are_left_to_the_loader_of_presets():
    with pytest.raises(NpbertError, match="s3://"):
        open_source("s3://bucket/model")


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("torhc:somewhere", r"unknown kind of source 'torhc'[^$]*did you mean 'torch'"),
        ("safetensors:file", r"unknown kind of source 'safetensors'[^$]*expected: npbert, bundle"),
        ("https://127.0.0.1/embed", r"unknown kind of source 'https'[^$]*did you mean 'http'"),
        ("torch:", "the source names nothing"),
        ("", "the source names nothing"),
    ],
)
def test_no_such_kind(spec, message):
    with pytest.raises(ConfigError, match=message):
        open_source(spec)


def test_what_runs_code_says_so():
    assert "runs your code" in KINDS["py"].about
