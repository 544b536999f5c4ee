"""What the process that reads HDF5 answers is not believed, and what it takes has limits."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from npbert.config import BertConfig
from npbert.errors import (
    ModelFileError,
    NpbertError,
    ResourceLimitError,
    UnsafeModelError,
    WeightError,
)
from npbert.weights import untrusted
from npbert.weights.load_file import load_file, load_matching

from . import test_load_file as kinds
from .fake_child import answering, heading
from .model_files import CONFIG, assert_same, random_arrays, write_h5

ROOT = Path(__file__).parents[2]
ARRAYS = random_arrays()
VALUES = b"".join(array.tobytes() for array in ARRAYS.values())
WHOLE = heading({"skipped": {}, "int8": False})


def refused(tmp_path: Path, load: Callable[..., object] = load_file) -> NpbertError:
    path = kinds.one(tmp_path)
    with pytest.raises(NpbertError) as error:
        load(path, CONFIG, trust=False)
    assert str(path) in str(error.value)
    return error.value


@pytest.mark.parametrize(
    "does",
    [
        *("head('')", "head('{')", "head('[]')", "head('{}')", "head('null')", "head(b'\\xff')"),
        *("head('[' * 200_000)", "head('9' * 5_000)", "send(bytes([255] * 8))"),
        heading({"error": []}),
        heading({"error": "WeightError"}),
        heading({"error": ["WeightError", "what", None, None, None]}),
        heading({"error": ["WeightError", None, None, None, None, None]}),
        heading({"error": ["WeightError", "what", 5, None, None, None]}),
        heading({"error": ["WeightError", "what", ["where"], None, None, None]}),
        *(
            heading({"error": [kind, "what", None, None, None, None]})
            for kind in ("KeyboardInterrupt", "InputError", "NpbertError", "", ["WeightError"], {})
        ),
        heading({"skipped": {}}),
        heading({"skipped": [], "int8": False}),
        heading({"skipped": {}, "int8": "yes"}),
        heading({"skipped": {"pooled_dense/bias": "it is not there"}, "int8": False}),
    ],
)
def test_nonsense(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str):
    with answering(monkeypatch, does):
        error = refused(tmp_path)
    assert type(error) is ModelFileError
    assert error.what == "the process that reads files which are not trusted failed at this one."
    assert str(error.received) == "something else than an answer"
    assert error.fix == "do not use the file; if it is your own, pass trust=True"
    assert_same(load_file(kinds.one(tmp_path), CONFIG, trust=False), ARRAYS)


@pytest.mark.parametrize("reason", [5, None, ["it is not there"]])
def test_a_reason_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, reason: object):
    with answering(monkeypatch, heading({"skipped": {"pooled_dense/bias": reason}, "int8": False})):
        error = refused(tmp_path, load_matching)
    assert str(error.received) == "something else than an answer"


@pytest.mark.parametrize(
    ("does", "what"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", "it was ended by SIGSEGV"),
        (f"{WHOLE}; send(bytes(9)); sys.exit(0)", "it ended with exit code 0"),
        (f"{WHOLE}; send(bytes(9)); time.sleep(60)", "no answer within 1 s"),
        ("time.sleep(60)", "no answer within 1 s"),
    ],
)
def test_a_process_that_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: str, what: str
):
    if "sleep" in does:
        monkeypatch.setattr(untrusted, "LEAST_SECONDS", 0.9)
    with answering(monkeypatch, does):
        error = refused(tmp_path)
    assert (type(error), str(error.received)) == (ModelFileError, what)
    monkeypatch.undo()
    assert_same(load_file(kinds.one(tmp_path), CONFIG, trust=False), ARRAYS)


def test_values_that_are_not_finite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    with answering(monkeypatch, f"{WHOLE}; send(bytes([255] * {len(VALUES)}))"):
        error = refused(tmp_path)
    assert type(error) is WeightError
    assert "'token_embedding/embeddings' has 132 values not finite" in error.what


def test_values_are_those_of_the_config_whatever_else_is_sent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    head = heading({"skipped": {"../x": "", "y": 5}, "int8": False, "more": {"arrays": [1] * 9}})
    with (
        answering(monkeypatch, f"{head}; send(bytes({len(VALUES)}))"),
        pytest.warns(UserWarning, match="the same number everywhere"),  # all of them are 0
    ):
        loaded, skipped = load_matching(kinds.one(tmp_path), CONFIG, trust=False)
    assert skipped == {}
    assert_same(loaded, {name: np.zeros_like(array) for name, array in ARRAYS.items()})


def test_an_errors_text_cannot_steer_a_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    pieces = ["what\x1b[2J", "a\nb\ud800", "\u202e", None, "fix é"]
    path = kinds.one(tmp_path)
    does = heading({"error": ["UnsafeModelError", *pieces]})
    with answering(monkeypatch, does), pytest.raises(UnsafeModelError) as error:
        load_file(path, CONFIG, trust=False)
    assert str(error.value) == (
        "what\\x1b[2J\n  where:    a\nb\\ud800\n  received: \\u202e\n  fix:      fix é"
    )


# -- memory ----------------------------------------------------------------------------------------

WIDE = BertConfig(
    vocabulary_size=60_000,
    num_layers=1,
    num_heads=3,
    hidden_dim=270,
    intermediate_dim=13,
    max_sequence_length=7,
    num_segments=5,
)
"""64.8 MB of token embedding, and little else."""


@pytest.mark.skipif(sys.platform != "linux", reason="no other system keeps this limit")
def test_more_memory_than_the_model_explains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = write_h5(tmp_path / "a.weights.h5", random_arrays(WIDE), WIDE)
    monkeypatch.setattr(untrusted, "LEAST_MEMORY", 8 << 20)
    monkeypatch.setattr(untrusted, "MEMORY_RATIO", 0)
    with pytest.raises(ResourceLimitError, match="the file asks for more memory than there is"):
        load_file(path, WIDE, trust=False)
    small = write_h5(tmp_path / "b.weights.h5", ARRAYS)
    assert_same(load_file(small, CONFIG, trust=False), ARRAYS)
    monkeypatch.undo()
    assert_same(load_file(path, WIDE, trust=False), random_arrays(WIDE))


def script(text: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", text],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(sys.platform == "win32", reason="this system does not tell the peak")
def test_the_parent_has_the_weights_once(tmp_path: Path):
    path = write_h5(tmp_path / "a.weights.h5", random_arrays(WIDE), WIDE)
    printed = script(
        "import json, resource, sys\n"
        "from pathlib import Path\n"
        "from npbert.config import BertConfig\n"
        "from npbert.weights.load_file import load_file\n"
        f"config = BertConfig(**json.loads({json.dumps(json.dumps(dataclasses.asdict(WIDE)))}))\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "before = peak()\n"
        f"loaded = load_file(Path({str(path)!r}), config, trust=False)\n"
        "print((peak() - before) * (1 if sys.platform == 'darwin' else 1024))\n"
        "print(sum(array.nbytes for array in loaded.values()))\n"
    )
    grown, weights = map(int, printed.split())
    assert grown < 1.3 * weights
