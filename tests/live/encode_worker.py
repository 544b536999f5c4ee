"""sentence-transformers: ``python -m live.encode_worker torch WORK SEED``.

Leaves in WORK a directory for every case of `live.encode_cases`, as the library saves it, and what
it computes from it.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from live.encode_cases import ASKED, CASES, PROMPTS, SIMILARITIES, TEXTS, Case, key
from live.peers import save
from sentence_transformers import SentenceTransformer, util
from sentence_transformers.models import Dense, Normalize, Pooling, Transformer

from golden.minilm import model_dir

WEIGHTS = "model.safetensors"


def main(name: str, work: Path, seed: int) -> None:
    transformers.logging.disable_progress_bar()
    torch.manual_seed(seed)
    torch.set_num_threads(1)
    body = Transformer(str(model_dir()), max_seq_length=256)
    found: dict[str, np.ndarray] = {}
    for number, (case, asked) in enumerate(CASES.items()):
        model = SentenceTransformer(
            modules=modules(body, asked), prompts=PROMPTS, device="cpu", **(asked.settings or {})
        )
        write(model, work / case, work / next(iter(CASES)) if number else None)
        found |= run(model, case)
    save(work, f"encode@{name}", found)
    save(work, f"similarity@{name}", compare(seed))


def modules(body: Transformer, case: Case) -> list[torch.nn.Module]:
    pooling = Pooling(
        body.get_embedding_dimension(), pooling_mode=case.modes, include_prompt=case.include_prompt
    )
    after: list[Any] = []
    width = pooling.get_embedding_dimension()
    for step in case.after:
        if step == "normalize":
            after.append(Normalize())
        else:
            outputs, activation = step
            bias = len(after) % 2 == 0
            function = getattr(torch.nn, activation)()
            after.append(Dense(width, outputs, bias=bias, activation_function=function))
            width = outputs
    return [body, pooling, *after]


def write(model: SentenceTransformer, folder: Path, first: Path | None) -> None:
    """As the library saves it; the weights of the body, the same for all, are on disk once."""
    model.save(str(folder))
    if first is not None:
        (folder / WEIGHTS).unlink()
        os.link(first / WEIGHTS, folder / WEIGHTS)


def run(model: SentenceTransformer, case: str) -> dict[str, np.ndarray]:
    options: dict[str, Any] = {"batch_size": 4, "show_progress_bar": False}
    found = {key(case, i): model.encode(TEXTS, **asked, **options) for i, asked in enumerate(ASKED)}
    found[f"{case}.query"] = model.encode_query(TEXTS, **options)
    found[f"{case}.document"] = model.encode_document(TEXTS, **options)
    rows = model.encode(TEXTS, prompt_name="query", output_value="token_embeddings", **options)
    found[f"{case}.tokens"] = np.concatenate([each.numpy() for each in rows])
    return found


def compare(seed: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    a, b = (random.standard_normal((n, 384)).astype(np.float32) for n in (7, 5))
    found = {"a": a, "b": b}
    names = {"cosine": "cos_sim", "dot": "dot_score"}
    for name in SIMILARITIES:
        function = names.get(name, f"{name}_sim")
        found[name] = getattr(util, function)(a, b).numpy()
        found[f"{name}.pairs"] = getattr(util, f"pairwise_{function}")(a[:5], b).numpy()
    return found


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))
