"""Memory: long jobs do not grow, and a program holds the weights about once."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from goldens import PRESETS
from text.tiny_model import write_tiny_model

from npbert.bench import models

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="needs Linux's /proc"),
]

TESTS = Path(__file__).parents[1]
MB = 10**6


def python(script, *arguments):
    path = os.pathsep.join([str(TESTS.parent), str(TESTS), *sys.path[1:]])
    done = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": path},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


_MANY_CALLS = """
import sys, os
import goldens
num_threads = int(sys.argv[1])
model, batch = goldens.backbone("deep", num_threads), goldens.inputs("deep")
B = len(batch["token_ids"])
def resident():
    return int(open("/proc/self/statm").read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
for i in range(10_000):
    rows = slice(i % B, i % B + 1 + i // 7 % B)
    model({name: array[rows] for name, array in batch.items()}, skip_padding=bool(i % 3))
    if i % 50 == 0:
        model.encode_ragged([[1, 2, 3]] * (1 + i % 11))
    if i in (999, 9_999):
        print(resident())
"""


@pytest.mark.parametrize("num_threads", [1, 2])
def test_ten_thousand_calls_do_not_grow(num_threads):
    """Batches of every size, with padding and without."""
    after_1_000, after_10_000 = map(int, python(_MANY_CALLS, num_threads).split())
    assert after_10_000 - after_1_000 <= 1 * MB


# The most that was ever resident, of this program alone: `ru_maxrss` also knows its parent's.
_EMBED = """
import sys
from npbert.cli import main
try:
    main()
except SystemExit as stopped:
    assert not stopped.code, stopped.code
status = dict(line.split(":") for line in open("/proc/self/status"))
print("\\n" + status["VmHWM"].split()[0])
"""


def peak_of_embed(model, *texts):
    """Bytes; its kernels are on disk, for this is the second run."""
    for _ in range(2):
        said = python(_EMBED, "embed", "--model", model, *texts)
    return int(said.split()[-1]) * 1024


@pytest.mark.real_weights
def test_peak_of_a_warm_embed_with_minilm():
    peak = peak_of_embed("all-MiniLM-L6-v2", "The cat sat on the mat.", "two words " * 300)
    assert peak <= 350 * MB


@pytest.fixture(scope="module")
def bert_base(tmp_path_factory):
    """A directory of that size in float32, with a tokenizer."""
    scratch = tmp_path_factory.mktemp("base")
    directory = write_tiny_model(scratch / "model")
    for file in models.find("bert-base", scratch).iterdir():
        file.replace(directory / file.name)
    yield directory
    shutil.rmtree(directory)


@pytest.mark.slow
def test_peak_of_a_warm_embed_with_bert_base(bert_base):
    """1.2 times the weights, and 200 MB for Python, Numba and the work."""
    size = (bert_base / "model.safetensors").stat().st_size
    assert 437 * MB < size < 439 * MB
    peak = peak_of_embed(bert_base, "the river runs past an old stone mill", "under the bridge")
    assert peak <= 1.2 * size + 200 * MB


# Prints what is resident once a tiny model of the same kind has run, with all libraries and kernels
# that it takes, and the most from there to the end of a pass of the model itself.
_MODEL = """
import sys
from npbert import BertBackbone
def status(key):
    return int(dict(line.split(":") for line in open("/proc/self/status"))[key].split()[0]) * 1024
def run(path, dtype):
    if path == "fresh":
        model = BertBackbone(30522, 12, 12, 768, 3072, dtype=dtype, seed=1, num_threads=1)
    else:
        model = BertBackbone.from_preset(path, dtype=dtype, num_threads=1)
    ids = [[number % 23 for number in range(5)]]
    model({"token_ids": ids, "segment_ids": [[0] * 5], "padding_mask": [[1] * 5]})
tiny, path, dtype = sys.argv[1:]
run(tiny, dtype)
before = status("VmRSS")
run(path, dtype)
print(before, status("VmHWM"))
"""


def memory_of_model(path, dtype):
    """Bytes of the whole process at its peak, and how many of them are there for the model."""
    tiny = PRESETS / "hf_tiny"
    python(_MODEL, tiny, tiny, dtype)  # afterwards, its kernels are on disk
    before, peak = map(int, python(_MODEL, tiny, path, dtype).split())
    return peak, peak - before


@pytest.mark.slow
def test_bfloat16_takes_half_the_memory(bert_base):
    """From the same file of float32, and with weights that are drawn."""
    _, whole = memory_of_model(bert_base, "float32")
    for path, dtype in ((bert_base, "bfloat16"), ("fresh", "bfloat16_from_float32")):
        peak, half = memory_of_model(path, dtype)
        assert half <= 0.6 * whole, (path, half, whole)
        assert peak <= 1.2 * 219 * MB + 200 * MB, path
