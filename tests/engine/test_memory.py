"""Memory: long jobs do not grow, and a program holds the weights about once."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.numpy import save_file
from text.tiny_model import CONFIG, write_json, write_tiny_model
from weights.model_files import hugging_face

from npbert.engine.packed import random_weights
from npbert.weights import weight_shapes

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


@pytest.mark.slow
def test_peak_of_a_warm_embed_with_bert_base(tmp_path):
    """1.2 times the weights, and 200 MB for Python, Numba and the work."""
    config = dataclasses.replace(
        CONFIG,
        vocabulary_size=30_522,
        num_layers=12,
        num_heads=12,
        hidden_dim=768,
        intermediate_dim=3072,
        max_sequence_length=512,
    )
    directory = write_tiny_model(tmp_path / "base")
    fields = json.loads((directory / "config.json").read_text())
    fields |= {
        "vocab_size": config.vocabulary_size,
        "num_hidden_layers": config.num_layers,
        "num_attention_heads": config.num_heads,
        "hidden_size": config.hidden_dim,
        "intermediate_size": config.intermediate_dim,
        "max_position_embeddings": config.max_sequence_length,
    }
    write_json(directory / "config.json", fields)
    weights = hugging_face(random_weights(weight_shapes(config), 3), config)
    save_file(weights, directory / "model.safetensors")
    size = sum(array.nbytes for array in weights.values())
    assert 437 * MB < size < 439 * MB
    peak = peak_of_embed(directory, "the river runs past an old stone mill", "under the bridge")
    assert peak <= 1.2 * size + 200 * MB
