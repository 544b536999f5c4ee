"""``npbert embed``."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest

from npbert import Embedder

from .conftest import Npbert

pytestmark = pytest.mark.kernel
TEXTS = ["the river runs", "our old mill", ""]


@pytest.fixture(scope="module")
def vectors(model: Path) -> np.ndarray:
    return Embedder(model).encode(TEXTS)


def test_arguments_to_a_table(npbert: Npbert, model: Path) -> None:
    done = npbert("embed", "--model", model, *TEXTS)
    assert done.code == 0
    assert "3 x 20" in done.out
    assert "the river runs" in done.out
    assert "3 texts -> 20 numbers each, in " in done.err


def test_a_file_to_npy(npbert: Npbert, model: Path, tmp_path: Path, vectors: np.ndarray) -> None:
    (tmp_path / "texts.txt").write_text("\n".join(TEXTS) + "\n")
    output = tmp_path / "vectors.npy"
    done = npbert("embed", "-m", model, "-i", tmp_path / "texts.txt", "-o", output)
    assert (done.code, done.out) == (0, "")
    assert np.load(output).tobytes() == vectors.tobytes()


def test_stdin_to_jsonl(
    npbert: Npbert,
    model: Path,
    tmp_path: Path,
    vectors: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = io.BytesIO("\n".join([*TEXTS, ""]).encode())
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(content))
    assert npbert("embed", "-m", model, "-o", tmp_path / "v.jsonl").code == 0
    rows = [json.loads(line) for line in (tmp_path / "v.jsonl").read_text().splitlines()]
    assert [row["text"] for row in rows] == TEXTS
    stored = np.array([row["embedding"] for row in rows], np.float32)
    assert stored.tobytes() == vectors.tobytes()


def test_options_reach_the_embedder(npbert: Npbert, model: Path, tmp_path: Path) -> None:
    output = tmp_path / "v.npy"
    options = ("--normalize", "--activation", "gelu_approximate", "--max-seq-length", 9)
    done = npbert("embed", "-m", model, *options, "--threads", 1, "-o", output, *TEXTS)
    assert "on 1 thread\n" in done.err
    embedder = Embedder(model, activation="gelu_approximate", max_seq_length=9)
    expected = embedder.encode(TEXTS, normalize_embeddings=True)
    assert np.load(output).tobytes() == expected.tobytes()


@pytest.mark.parametrize("dtype", ["bfloat16_from_float32", "float64"])
def test_a_dtype(npbert: Npbert, model: Path, tmp_path: Path, dtype: str) -> None:
    """Files have float32, and a stamp by which another dtype is another run."""
    output = tmp_path / "v.jsonl"
    options = ("embed", "-m", model, "-o", output, *TEXTS)
    assert npbert(*options, "--dtype", dtype).code == 0
    rows = [json.loads(line) for line in output.read_text().splitlines()]
    expected = np.float32(Embedder(model, dtype=dtype).encode(TEXTS))
    assert np.array([row["embedding"] for row in rows], np.float32).tobytes() == expected.tobytes()
    done = npbert(*options, "--reuse", output)
    assert done.code == 1
    assert "it was made with another dtype" in done.err
    assert f'received: {{"dtype": "{dtype}"}}' in done.err
    assert 'expected: {"dtype": "float32"}' in done.err
    assert npbert(*options, "--dtype", dtype, "--reuse", output).code == 0


@pytest.mark.filterwarnings("always")
def test_a_cut_is_one_line_on_stderr(npbert: Npbert, model: Path) -> None:
    done = npbert("embed", "-m", model, "the mill " * 9)
    assert done.code == 0
    assert "npbert: warning: cut 1 of 1 texts after 11 tokens, the limit of" in done.err
    assert ".py" not in done.err


def test_an_output_that_cannot_be_is_refused_first(npbert: Npbert, tmp_path: Path) -> None:
    done = npbert("embed", "a", "-m", tmp_path / "missing", "-o", tmp_path / "v.txt")
    assert done.code == 2
    assert ".jsonl or .parquet" in done.err


def test_no_texts_at_all(npbert: Npbert, model: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.txt").touch()
    done = npbert("embed", "-m", model, "-i", tmp_path / "empty.txt", "-o", tmp_path / "v.npy")
    assert done.code == 0
    assert np.load(tmp_path / "v.npy").shape == (0, 20)
    assert "0 texts" in done.err


def test_resume_and_reuse_need_a_file(npbert: Npbert, model: Path) -> None:
    done = npbert("embed", "-m", model, "--resume", *TEXTS)
    assert done.code == 2
    assert "go with --output" in done.err


def test_columns_ids_and_reuse(npbert: Npbert, model: Path, tmp_path: Path) -> None:
    rows, output = tmp_path / "rows.csv", tmp_path / "v.jsonl"
    options = ("-m", model, "-i", rows, "--text-column", "body", "--id-column", "key", "-o", output)
    rows.write_text("key,body\n1,the mill\n2,the river\n")
    assert npbert("embed", *options).code == 0
    rows.write_text("key,body\n2,the river\n1,the old mill\n")
    done = npbert("embed", *options, "--reuse", output)
    assert done.code == 0
    assert "1 of them are from" in done.err
    stored = [json.loads(line) for line in output.read_text().splitlines()]
    assert [(row["id"], row["text"]) for row in stored] == [
        ("2", "the river"),
        ("1", "the old mill"),
    ]
    expected = Embedder(model).encode(["the river", "the old mill"])
    assert (
        np.array([row["embedding"] for row in stored], np.float32).tobytes() == expected.tobytes()
    )


def test_files_in_each_others_way(npbert: Npbert, model: Path, tmp_path: Path) -> None:
    rows = tmp_path / "rows.jsonl"
    rows.write_text('{"text": "one", "more": 3}\n')
    done = npbert("embed", "-m", model, "-i", rows, "-o", rows)
    assert (done.code, rows.read_text()) == (2, '{"text": "one", "more": 3}\n')
    assert "would replace the input" in done.err
    missing = tmp_path / "missing.jsonl"
    done = npbert("embed", "-m", model, "one", "-o", tmp_path / "v.jsonl", "--reuse", missing)
    assert done.code == 2
    assert "--reuse" in done.err


def test_ids_are_checked_before_any_work(npbert: Npbert, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": 1, "text": "a"}\n{"id": "1", "text": "a"}\n')
    options = ("-i", tmp_path / "rows.jsonl", "-o", tmp_path / "v.parquet", "--id-column", "id")
    done = npbert("embed", "-m", tmp_path / "missing", *options)
    assert done.code == 1
    assert "the ids are not of one kind" in done.err


def test_a_bad_row_is_found_before_any_work(npbert: Npbert, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"text": "one"}\n{"text": 2}\n')
    done = npbert(
        "embed", "-m", tmp_path / "missing", "-i", tmp_path / "rows.jsonl", "-o", tmp_path / "v.npy"
    )
    assert done.code == 1
    assert "rows.jsonl, line 2" in done.err


@pytest.mark.filterwarnings("always")
def test_long_texts_in_a_file(npbert: Npbert, model: Path, tmp_path: Path) -> None:
    options = ("embed", "-m", model, "-o", tmp_path / "v.npy", "the mill " * 9, "the mill")
    assert "warning: cut 1 texts after 11 tokens, the limit of" in npbert(*options).err
    done = npbert(*options, "--on-truncate", "error")
    assert done.code == 1
    assert "row 1" in done.err
    (tmp_path / "v.npy.partial").unlink()
    assert npbert(*options, "--on-truncate", "chunk").code == 0
