"""What the process that reads HDF5 answers, and the limits that it sets itself."""

from __future__ import annotations

import dataclasses
import io
import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from npbert.weights import weight_shapes
from npbert.weights.h5_child import MAX_PIECE, answer, serve
from npbert.weights.h5_process import environment

from .model_files import CONFIG, random_arrays, write_h5

ROOT = Path(__file__).parents[2]
BIAS = "pooled_dense/bias"
ARRAYS = random_arrays()


def request(path: Path, what: str = "weights", **more: object) -> dict[str, Any]:
    limits = {"memory": 1 << 30, "seconds": 60.0}
    config = dataclasses.asdict(CONFIG)
    asked = {"what": what, "path": str(path), "folder": None, "config": config, **limits, **more}
    return asked | {"leave_out_layers": False, "dtype": "float32"}


def test_the_values_follow_in_keras_order(tmp_path: Path):
    head, arrays = answer(request(write_h5(tmp_path / "a.weights.h5", ARRAYS)))
    assert head == {"skipped": {}, "int8": False}
    for array, name in zip(arrays, weight_shapes(CONFIG), strict=True):
        np.testing.assert_array_equal(array, ARRAYS[name])


def test_what_is_left_out(tmp_path: Path):
    kept = {name: array for name, array in ARRAYS.items() if name != BIAS}
    head, arrays = answer(request(write_h5(tmp_path / "a.weights.h5", kept), "matching"))
    assert head == {"skipped": {BIAS: "it is not in the file"}, "int8": False}
    assert len(arrays) == len(ARRAYS) - 1


def test_an_error_in_pieces(tmp_path: Path):
    path = tmp_path / "a.weights.h5"
    assert answer(request(path)) == (
        {
            "error": [
                *("ModelFileError", "the file does not exist.", str(path)),
                *(None, None, "check the path"),
            ]
        },
        [],
    )
    head, _ = answer(request(path.with_name("x" * 5_000)))
    assert len(head["error"][2]) == MAX_PIECE


def test_a_path_from_where_the_parent_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    write_h5(tmp_path / "a.weights.h5", ARRAYS)
    head, _ = answer(request(Path("a.weights.h5"), folder=str(tmp_path)))
    assert "skipped" in head


def test_several_requests_and_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In this process, so without its limits."""
    good = write_h5(tmp_path / "a.weights.h5", ARRAYS)
    requests = [request(good), request(tmp_path / "none.h5"), request(good)]
    lines = "".join(json.dumps(each) + "\n" for each in requests).encode()
    written = io.BytesIO()
    monkeypatch.setattr("npbert.weights.h5_child.Limits", lambda: _NoLimits)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written))
    serve()
    values = b"".join(ARRAYS[name].tobytes() for name in weight_shapes(CONFIG))
    whole = b'{"skipped": {}, "int8": false}'
    assert written.getvalue().startswith(b"+" + bytes([len(whole), 0, 0, 0]) + whole + values)
    assert written.getvalue().endswith(whole + values)
    assert written.getvalue().count(b'{"error": ') == 1


class _NoLimits:
    @staticmethod
    def set(memory: int, seconds: float) -> None:
        assert (memory, seconds) == (1 << 30, 60.0)

    @staticmethod
    def lift() -> None:
        pass


# -- limits ----------------------------------------------------------------------------------------


def limited(script: str) -> subprocess.CompletedProcess[str]:
    script = f"import resource, time\nfrom npbert.weights.h5_child import Limits\n{script}"
    return subprocess.run(
        [sys.executable, "-c", script],
        env=environment() | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(sys.platform != "linux", reason="no other system keeps this limit")
def test_memory():
    done = limited(
        "limits = Limits()\n"
        "def take(bytes):\n"
        "    try:\n"
        "        return len(bytearray(bytes)) == bytes\n"
        "    except MemoryError:\n"
        "        return False\n"
        "for most in (100, 10, 200):\n"
        "    limits.set(most << 20, 60)\n"
        "    print(take(most - 2 << 20), take(most + 1 << 20))\n"
        "print(resource.getrlimit(resource.RLIMIT_CORE))\n"
    )
    assert done.stdout == "True False\n" * 3 + "(0, 0)\n", done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="no other system keeps this limit")
def test_a_limit_that_was_there_stays():
    done = limited(
        "resource.setrlimit(resource.RLIMIT_AS, (1 << 40, 1 << 41))\n"
        "limits = Limits()\n"
        "limits.set(1 << 50, 60)\n"
        "print(resource.getrlimit(resource.RLIMIT_AS))\n"
    )
    assert done.stdout == f"({1 << 40}, {1 << 41})\n", done.stderr


@pytest.mark.skipif(not hasattr(signal, "alarm"), reason="this system has no alarm")
def test_time():
    done = limited("limits = Limits(); limits.set(1 << 30, -4); time.sleep(60)")
    assert done.returncode == -signal.SIGALRM
    done = limited("limits = Limits(); limits.set(1 << 30, -4); limits.lift(); time.sleep(1.5)")
    assert done.returncode == 0
