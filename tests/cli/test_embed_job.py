"""Texts to a file: stopped anywhere and resumed, the output is that of an uninterrupted run."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from npbert.cli import embed_job
from npbert.cli.embed_job import Job, run
from npbert.cli.sources import Row
from npbert.cli.stamp import read_stamp
from npbert.errors import ConfigError, InputError

OPTIONS = {"truncate_dim": None, "on_truncate": "warn"}
ROWS = [Row(f"text {i % 5}" * (i % 3), i) for i in range(23)]


class Fake:
    """An embedder whose vectors are the texts' lengths, and which can be stopped."""

    max_seq_length, limit = 9, SimpleNamespace(source="the test")

    def __init__(self, path: Path, stop_after: int = 10**9, error: type[BaseException] = OSError):
        self.path, self.left, self.error, self.computed = path, stop_after, error, 0

    def info(self) -> dict[str, Any]:
        decided = {"pooling": "mean", "normalize": True, "max_seq_length": 9}
        decided |= {"config": {"activation": "gelu"}, "dtype": "float32"}
        return {"path": str(self.path), **decided}

    def encode(self, texts: list[str], **options: Any) -> Any:
        width = options["truncate_dim"] or 3
        if not options.get("return_info"):
            return np.empty((0, width), np.float32)
        assert options["on_truncate"] in ("ignore", "chunk")
        self.left -= 1
        if self.left < 0:
            raise self.error("no room")
        self.computed += len(texts)
        lengths = np.array([len(text) for text in texts])
        vectors = np.array([[n, -n, n / 7] for n in lengths], np.float32).reshape(-1, 3)
        return vectors[:, :width], SimpleNamespace(n_tokens=lengths, truncated=lengths > 9)


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embed_job, "_ROWS_AT_ONCE", 4)


def job(folder: Path, name: str = "v.jsonl", **more: Any) -> Job:
    embedder = more.pop("embedder", None) or Fake(folder)
    return Job(embedder, OPTIONS | more.pop("options", {}), 2, folder / name, True, **more)


@pytest.mark.filterwarnings("ignore:cut")
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
@settings(max_examples=20)
@given(stops=st.lists(st.integers(0, 5), max_size=4))
def test_stopped_and_resumed(
    tmp_path_factory: pytest.TempPathFactory, error: type[BaseException], stops: list[int]
) -> None:
    folder = tmp_path_factory.mktemp("job")
    run(job(folder, "whole.jsonl"), iter(ROWS), None)
    stops = [stop for i, stop in enumerate(stops) if sum(stops[: i + 1]) < 6]  # of six parts
    for stop in stops:
        with pytest.raises(error):
            run(job(folder, embedder=Fake(folder, stop, error), resume=True), iter(ROWS), None)
        assert not (folder / "v.jsonl").exists()
    last = Fake(folder)
    done = run(job(folder, embedder=last, resume=True), iter(ROWS), len(ROWS))
    assert done.rows == len(ROWS)
    assert done.resumed == 4 * sum(stops)
    assert last.computed == len(ROWS) - done.resumed
    assert (folder / "v.jsonl").read_bytes() == (folder / "whole.jsonl").read_bytes()
    assert not (folder / "v.jsonl.partial").exists()


def test_an_old_output_stays_until_the_new_one_is_whole(tmp_path: Path) -> None:
    (tmp_path / "v.jsonl").write_text("old")
    with pytest.raises(OSError, match="no room"):
        run(job(tmp_path, embedder=Fake(tmp_path, 2)), iter(ROWS), None)
    assert (tmp_path / "v.jsonl").read_text() == "old"
    with pytest.raises(ConfigError, match="--resume"):
        run(job(tmp_path), iter(ROWS), None)


def test_a_stop_says_how_to_go_on(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(KeyboardInterrupt):
        run(job(tmp_path, embedder=Fake(tmp_path, 2, KeyboardInterrupt)), iter(ROWS), None)
    assert "8 rows are kept; go on with --resume" in capsys.readouterr().err


@pytest.mark.filterwarnings("ignore:cut")
def test_reuse_computes_what_has_changed(tmp_path: Path) -> None:
    run(job(tmp_path), iter(ROWS), None)
    changed = [row if row.id != 11 else Row("new", 11) for row in reversed(ROWS)]
    embedder = Fake(tmp_path)
    again = job(tmp_path, "w.jsonl", embedder=embedder, reuse=tmp_path / "v.jsonl")
    assert run(again, iter(changed), None).reused == len(ROWS) - 1
    assert embedder.computed == 1
    run(job(tmp_path, "x.jsonl"), iter(changed), None)
    assert (tmp_path / "w.jsonl").read_bytes() == (tmp_path / "x.jsonl").read_bytes()


@pytest.mark.parametrize("option", ["reuse", "resume"])
def test_another_model_is_refused(tmp_path: Path, option: str) -> None:
    (tmp_path / "config.json").write_text("{}")
    if option == "resume":
        with pytest.raises(OSError, match="no room"):
            run(job(tmp_path, embedder=Fake(tmp_path, 1)), iter(ROWS[:9]), None)
    else:
        run(job(tmp_path), iter(ROWS[:2]), None)
    again = {"resume": True} if option == "resume" else {"reuse": tmp_path / "v.jsonl"}
    (tmp_path / "config.json").write_text('{"other": 1}')
    with pytest.raises(InputError, match="another model_sha256"):
        run(job(tmp_path, "v.jsonl", **again), iter(ROWS), None)
    with pytest.raises(InputError, match="another model_sha256, truncate_dim, dimension"):
        run(job(tmp_path, "v.jsonl", options={"truncate_dim": 2}, **again), iter(ROWS), None)


def test_the_stamp(tmp_path: Path) -> None:
    run(job(tmp_path, options={"truncate_dim": 3}), iter(ROWS[:1]), None)
    stamp = read_stamp(tmp_path / "v.jsonl")
    assert (stamp["numerics"], stamp["dimension"], stamp["pooling"]) == (1, 3, "mean")
    assert (stamp["activation"], stamp["dtype"]) == ("gelu", "float32")
    assert len(stamp["model_sha256"]) == 64


def test_long_texts_are_counted_once(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match=r"cut 7 texts after 9 tokens, the limit of the test.*12"):
        run(job(tmp_path), iter(ROWS), None)
    with pytest.raises(InputError, match=r"where: +row 3\n[\s\S]*12 tokens[\s\S]*--on-truncate"):
        run(job(tmp_path, "w.npy", options={"on_truncate": "error"}), iter(ROWS), None)


def test_rows_are_drawn_as_they_are_needed(tmp_path: Path) -> None:
    drawn = 0

    def endless() -> Iterator[Row]:
        nonlocal drawn
        for drawn in itertools.count():
            yield Row("a", drawn)

    with pytest.raises(OSError, match="no room"):
        run(job(tmp_path, embedder=Fake(tmp_path, 3)), endless(), None)
    assert drawn <= 4 * 4
