"""How long one text takes from nothing: a fresh process that imports, loads, embeds and ends.

Not a test: ``python tests/live/startup.py`` in the environment of ``make test-live`` prints the
table that the README quotes. Every round runs each command once, so that whatever else the machine
does falls on all of them. The vectors are compared, so that both sides do the same work.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = "The keeper wrote the state of the sea into a ledger that survives to this day."

NPBERT = f"""
import npbert
print(npbert.Embedder("all-MiniLM-L6-v2").encode([{TEXT!r}])[0].tolist())
"""

ONNX = f"""
import numpy as np, onnxruntime, sys
from tokenizers import Tokenizer
tokenizer = Tokenizer.from_file(sys.argv[1] + "/tokenizer.json")
tokenizer.no_padding()
tokenizer.enable_truncation(256)
session = onnxruntime.InferenceSession(sys.argv[2], providers=["CPUExecutionProvider"])
ids = np.array([tokenizer.encode({TEXT!r}).ids])
fed = {{"input_ids": ids, "attention_mask": ids * 0 + 1, "token_type_ids": ids * 0}}
mean = session.run(None, fed)[0][0].mean(axis=0)
print((mean / np.linalg.norm(mean)).tolist())
"""

COMMANDS = {
    "python": "pass",
    "import numpy": "import numpy",
    "import numba": "import numba",
    "import onnxruntime, tokenizers": "import onnxruntime, tokenizers",
    "npbert, cold": NPBERT,
    "npbert, warm": NPBERT,
    "onnxruntime": ONNX,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        model = Path(folder) / "minilm.onnx"
        export = ["-m", "npbert.bench.engines.convert", "exported.onnx"]
        run([*export, str(model_dir()), str(model)], Path(folder) / "warm")
        seconds = measure(Path(folder), model, rounds)
    print(table(seconds, rounds))


def measure(folder: Path, model: Path, rounds: int) -> dict[str, list[float]]:
    """Seconds of each command in each round, after one round that counts for nothing."""
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for i in range(rounds + 1):
        vectors: dict[str, list[float]] = {}
        for name, code in COMMANDS.items():
            cache = folder / (f"cold_{i}" if name == "npbert, cold" else "warm")
            arguments = [str(model_dir()), str(model)] if name == "onnxruntime" else []
            start = time.perf_counter()
            printed = run(["-c", code, *arguments], cache)
            if i:
                seconds[name].append(time.perf_counter() - start)
            if printed:
                vectors[name] = json.loads(printed)
        check_equal(vectors)
    return seconds


def run(arguments: list[str], cache: Path) -> str:
    """What a fresh Python prints."""
    cache.mkdir(mode=0o700, exist_ok=True)
    path = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    environment = {**os.environ, "PYTHONPATH": path, "NPBERT_CACHE_DIR": str(cache)}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{command} failed:\n{done.stderr}")
    return done.stdout


def model_dir() -> Path:
    from npbert.presets.installed import find_installed

    return find_installed("all-MiniLM-L6-v2")


def check_equal(vectors: dict[str, list[float]]) -> None:
    theirs = vectors.pop("onnxruntime")
    for name, ours in vectors.items():
        difference = max(abs(a - b) for a, b in zip(ours, theirs, strict=True))
        if difference > 1e-6:
            raise SystemExit(f"{name} is {difference} from onnxruntime")


def table(seconds: dict[str, list[float]], rounds: int) -> str:
    """Best and median of each command, and both as a ratio to ONNX Runtime's."""
    peer = seconds["onnxruntime"]
    lines = [
        f"{rounds} rounds, {len(os.sched_getaffinity(0))} CPUs, seconds; ratios to onnxruntime",
        f"{'':32} {'best':>7} {'median':>7} {'ratio':>7} {'ratio':>7}",
    ]
    for name, each in seconds.items():
        best, median = min(each), statistics.median(each)
        ratios = best / min(peer), median / statistics.median(peer)
        lines.append(f"{name:32} {best:7.3f} {median:7.3f} {ratios[0]:7.2f} {ratios[1]:7.2f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
