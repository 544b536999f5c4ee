"""``npbert embed`` killed at random and resumed: no row is lost, doubled or changed."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.skipif(os.name != "posix", reason="needs signals")]

ROWS = 2_000
_MAIN = "import sys; from npbert.cli import main; sys.argv[0] = 'npbert'; main()"
_PRINT_PEAK = "import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"


@pytest.fixture(scope="module")
def articles(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Rows of 1,500 characters, so that 2,000 of them are stored in some fifteen parts."""
    path = tmp_path_factory.mktemp("articles") / "articles.jsonl"
    draw = random.Random(8)
    words = ["river", "mill", "the", "old", "runs", "our"]
    with open(path, "w") as file:
        for number in range(ROWS):
            text = " ".join(draw.choices(words, k=draw.randint(1, 4))).ljust(1500)
            file.write(json.dumps({"id": number, "text": text}) + "\n")
    return path


def start(model: Path, articles: Path, output: Path, before: str = "") -> subprocess.Popen[bytes]:
    options = ["embed", "-m", model, "-i", articles, "-o", output, "--id-column", "id", "--resume"]
    command = [sys.executable, "-c", before + _MAIN, *map(str, options)]
    return subprocess.Popen(command, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    _, err = process.communicate(timeout=120)
    return process.returncode, err.decode()


def test_killed_three_times(model: Path, articles: Path, tmp_path: Path) -> None:
    whole, output = tmp_path / "whole.jsonl", tmp_path / "v.jsonl"
    assert finish(start(model, articles, whole))[0] == 0
    partial = tmp_path / "v.jsonl.partial"
    draw = random.Random(time.time_ns())
    sizes = sorted(draw.uniform(0, 0.9) * ROWS * (1500 + 80) for _ in range(3))
    for size in sizes:
        process = start(model, articles, output)
        while process.poll() is None and not (partial.exists() and partial.stat().st_size > size):
            time.sleep(0.001)
        process.send_signal(signal.SIGKILL)
        assert finish(process)[0] == -signal.SIGKILL, sizes
        assert not output.exists()
    code, err = finish(start(model, articles, output))
    assert code == 0
    assert "of them were done before" in err
    assert output.read_bytes() == whole.read_bytes()
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == list(range(ROWS))


def test_a_disk_that_is_full(model: Path, articles: Path, tmp_path: Path) -> None:
    """What fits is kept; an earlier output stays until the new one is whole."""
    output = tmp_path / "v.jsonl"
    output.write_text("old")
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (700_000, 700_000)); "
    code, err = finish(start(model, articles, output, limit))
    assert code == 1
    assert "rows are kept; go on with --resume\nnpbert: File too large" in err
    assert output.read_text() == "old"
    assert finish(start(model, articles, output))[0] == 0
    assert [json.loads(line)["id"] for line in output.read_text().splitlines()] == [*range(ROWS)]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["v.jsonl", "v.jsonl.stamp.json"]


def test_memory_does_not_grow_with_the_rows(model: Path, articles: Path, tmp_path: Path) -> None:
    """Peak memory with ten times the rows, 30 MB of text, is at most 10 MB more."""
    many = tmp_path / "many.jsonl"
    many.write_text(articles.read_text() * 10)
    peaks = [_peak(model, path, tmp_path / f"{path.stem}.npy") for path in (articles, many)]
    assert peaks[1] <= peaks[0] + 10_000, peaks


def _peak(model: Path, rows: Path, output: Path) -> int:
    """kB that ``npbert embed`` has in memory at most."""
    code = f"try:\n    {_MAIN}\nfinally:\n    {_PRINT_PEAK}"
    command = [sys.executable, "-c", code, "embed", "-m", model, "-i", rows, "-o", output]
    return int(subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout)
