"""``npbert info``."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from presets.model_folders import change, copy
from text.tiny_model import write_tiny_model

from npbert.cli import info
from npbert.errors import KernelError
from npbert.simd import entries, isa

from .conftest import Npbert


def rows(out: str) -> dict[str, str]:
    """The table, as name -> value."""
    cells = [line.strip()[1:-1].split("│") for line in out.splitlines() if "│" in line]
    return {name.strip(): value.strip() for name, value in cells}


def test_everything_that_decides_the_vectors(npbert: Npbert, model: Path) -> None:
    done = npbert("info", model)
    shown = rows(done.out)
    assert (done.code, done.err) == (0, "")
    assert shown["format"] == "hugging_face"
    assert shown["hidden_dim"] == "20"
    assert shown["activation"] == "gelu: by erf, as Hugging Face computes it"
    assert shown["pooling"] == "mean, from modules.json"
    assert shown["normalized"] == "yes: vectors have length 1"
    assert shown["max_seq_length"] == "11 tokens, from sentence_bert_config.json"
    assert shown["sentence_bert_config.json"] == "11 tokens"
    assert shown["tokenizer_config.json"] == "no limit"
    assert shown["the position table"] == "19 tokens"
    assert shown["tokenizer.json (never used)"] == "6 tokens"
    assert re.fullmatch(r"[\d,]+, with the pooler", shown["parameters"])
    assert shown["dtype policy"] == "float32"
    assert re.fullmatch(r"\d+\.\d MiB of float32 weights", shown["memory"])
    assert re.fullmatch(r"\d+: .+", shown["threads"])
    assert shown["numerics"] == "1"


OWN = ("x86_64-unknown-linux-gnu", "znver4", f"{isa.levels('x86_64')['avx512'][2]},+avx512vnni")


@pytest.mark.parametrize(
    ("tile", "target", "on_disk", "expected"),
    [
        ("avx512", OWN, True, "avx512 (this machine's), on disk"),
        ("avx512", OWN, False, "avx512 (this machine's), compiled when they are first needed"),
        ("neon", OWN, True, "neon (this machine's avx512, in tiles for neon), on disk"),
        ("avx2", isa.levels("x86_64")["avx2"], True, "avx2 level, from /kept"),
    ],
)
def test_which_kernels(
    monkeypatch: pytest.MonkeyPatch,
    tile: str,
    target: isa.Target,
    on_disk: bool,
    expected: str,
) -> None:
    monkeypatch.setenv("NPBERT_CACHE_DIR", "/kept")
    monkeypatch.setattr(isa, "_made", {"choice": isa.Choice(isa.ISAS[tile], target)})
    monkeypatch.setattr(isa, "target", lambda: OWN)
    monkeypatch.setattr(entries, "present", lambda *_: on_disk)
    assert dict(info._machine())["kernels"] == expected


@pytest.mark.kernel
def test_the_instruction_set(npbert: Npbert, model: Path) -> None:
    assert rows(npbert("info", model).out)["kernels"].split()[0] in isa.ISAS


def test_a_broken_numba_is_no_reason_to_fail(
    npbert: Npbert, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken() -> None:
        raise KernelError("Numba cannot be imported.")

    monkeypatch.setattr(isa, "choice", broken)
    assert rows(npbert("info", model).out)["kernels"] == "none: Numba cannot be imported."


def test_a_built_in_name_has_no_files(npbert: Npbert) -> None:
    shown = rows(npbert("info", "bert_tiny_en_uncased").out)
    assert shown["directory"].startswith("none: the config comes with npbert")
    assert shown["activation"] == "gelu_approximate: by tanh, as Keras Hub computes it"
    assert shown["parameters"] == "4,385,920, with the pooler"
    assert shown["dtype policy"] == "float32"
    assert "pooling" not in shown


@pytest.mark.parametrize(
    ("name", "saved", "policy", "memory"),
    [
        ("keras_tiny", "mixed_bfloat16", "mixed_bfloat16", "float32"),
        ("keras_tiny", "float16", "float16", "float16"),
        ("keras_tiny", "int8_from_float32", "float32; the files say int8", "float32"),
        ("hf_tiny", "bfloat16", "float32; the files say bfloat16", "float32"),
    ],
)
def test_the_dtype_policy(
    npbert: Npbert, tmp_path: Path, name: str, saved: str, policy: str, memory: str
) -> None:
    shown = rows(npbert("info", change(copy(name, tmp_path), {"dtype": saved})).out)
    assert shown["dtype policy"] == policy
    assert shown["memory"].endswith(f" MiB of {memory} weights")


def test_a_model_without_a_tokenizer_or_pooling(npbert: Npbert, tmp_path: Path) -> None:
    write_tiny_model(tmp_path)
    (tmp_path / "modules.json").unlink()
    shown = rows(npbert("info", tmp_path).out)
    assert shown["pooling"] == "mean, from npbert's default; the model does not say"
    assert shown["normalized"] == "no"
    (tmp_path / "tokenizer.json").unlink()
    shown = rows(npbert("info", tmp_path).out)
    assert shown["texts"].startswith("no: the model has no tokenizer.json")


def test_no_model(npbert: Npbert, tmp_path: Path) -> None:
    done = npbert("info", tmp_path)
    assert (done.code, done.out) == (1, "")
    assert "no model at" in done.err
