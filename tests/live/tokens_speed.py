"""How fast texts become token ids: npbert's BertTokenizer, Keras Hub's, and the tokenizers library.

Not a test: ``python tests/live/tokens_speed.py`` in the environment of ``make test-live`` prints
the table. Every round runs each of them once over all the texts, so that whatever else the machine
does falls on all. npbert runs twice in a round: with nothing remembered, and once more.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
TEXTS = 3000

Run = Callable[[list[str]], Any]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--texts", type=int, default=TEXTS)
    options = parser.parse_args()
    from npbert.bench.texts import make

    texts = make(options.texts, seed=5)
    seconds, tokens = measure(texts, options.rounds)
    print(table(seconds, texts, tokens))


def measure(texts: list[str], rounds: int) -> tuple[dict[str, list[float]], int]:
    """Seconds of each in each round, after one round that counts for nothing; and the tokens."""
    from npbert.text.bert_tokenizer import BertTokenizer

    vocabulary = (model_dir() / "vocab.txt").read_text(encoding="utf-8").split("\n")[:-1]
    settings = {"lowercase": True, "strip_accents": True}
    peers = {"keras-hub": keras_hub(vocabulary, settings), **tokenizers()}
    seconds: dict[str, list[float]] = {}
    for i in range(rounds + 1):
        ours = BertTokenizer(vocabulary, **settings)
        runs: dict[str, Run] = {"npbert, first": ours, "npbert, again": ours, **peers}
        found = {}
        for name, run in runs.items():
            start = time.perf_counter()
            found[name] = run(texts)
            if i:
                seconds.setdefault(name, []).append(time.perf_counter() - start)
        check_equal(found["npbert, first"], found["keras-hub"])
    return seconds, sum(map(len, found["keras-hub"]))


def model_dir() -> Path:
    from npbert.presets.installed import find_installed

    return find_installed("all-MiniLM-L6-v2")


def keras_hub(vocabulary: list[str], settings: dict[str, bool]) -> Run:
    os.environ |= {"KERAS_BACKEND": "tensorflow", "TF_CPP_MIN_LOG_LEVEL": "3"}
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    import keras_hub

    return keras_hub.models.BertTokenizer(vocabulary, **settings)


def tokenizers() -> dict[str, Run]:
    """The library on one thread, a text at a time, and on all."""
    from tokenizers import Tokenizer

    library = Tokenizer.from_file(str(model_dir() / "tokenizer.json"))
    library.no_padding()
    library.no_truncation()

    def one(texts: list[str]) -> Any:
        return [library.encode(text, add_special_tokens=False).ids for text in texts]

    def every(texts: list[str]) -> Any:
        return [each.ids for each in library.encode_batch_fast(texts, add_special_tokens=False)]

    return {"tokenizers, one thread": one, "tokenizers, all threads": every}


def check_equal(ours: Any, theirs: Any) -> None:
    """npbert's tokens are Keras Hub's."""
    if [row.tolist() for row in ours] != [list(row) for row in theirs]:
        raise SystemExit("npbert's tokens are not Keras Hub's")


def table(seconds: dict[str, list[float]], texts: list[str], tokens: int) -> str:
    """Tokens and megabytes a second, by the median; and the ratio to one thread of tokenizers."""
    megabytes = sum(len(text.encode()) for text in texts) / 1e6
    peer = statistics.median(seconds["tokenizers, one thread"])
    lines = [
        f"{len(texts)} texts, {megabytes:.2f} MB, {tokens} tokens,"
        f" {len(next(iter(seconds.values())))} rounds, {len(os.sched_getaffinity(0))} CPUs",
        f"{'':24} {'best s':>8} {'median s':>9} {'tokens/s':>10} {'MB/s':>6} {'ratio':>6}",
    ]
    for name, each in seconds.items():
        median = statistics.median(each)
        rates = f"{tokens / median:10.0f} {megabytes / median:6.2f} {peer / median:6.2f}"
        lines.append(f"{name:24} {min(each):8.3f} {median:9.3f} {rates}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    main()
