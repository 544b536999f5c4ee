"""What the verbs of ``npbert parity`` take."""

from __future__ import annotations

from pathlib import Path

import pytest
import typer

from npbert.cli.parity_options import given_texts, tolerance


def test_texts_of_both_options_are_taken(tmp_path: Path) -> None:
    (tmp_path / "texts.jsonl").write_text('{"text": "a mill"}\n{"text": ""}\n')
    assert given_texts(None, None) is None
    assert given_texts(["x"], tmp_path / "texts.jsonl") == ["x", "a mill", ""]
    (tmp_path / "texts.txt").write_text("")
    with pytest.raises(typer.BadParameter, match=r"--texts .*texts.txt holds no texts"):
        given_texts(None, tmp_path / "texts.txt")


@pytest.mark.parametrize(
    ("given", "expected"),
    [("layer.*.probs=1e-5", ("layer.*.probs", 1e-5)), ("a=b=0", ("a=b", 0.0))],
)
def test_tolerance(given: str, expected: tuple[str, float]) -> None:
    assert tolerance(given) == expected


@pytest.mark.parametrize("given", ["x", "=1", "x=", "x=one", "x=-1", "x=inf", "x=nan"])
def test_what_is_no_tolerance(given: str) -> None:
    with pytest.raises(typer.BadParameter, match=f"--tol {given} is not STAGE=VALUE"):
        tolerance(given)
