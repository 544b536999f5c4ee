"""A model in the files that some engines want, made as their users would make them.

Each is made in a process of its own, ``python -m npbert.bench.engines.convert KIND MODEL FILE``, so
that the engines' processes hold nothing of the libraries that convert.
"""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from npbert.bench.engines.base import Setup
from npbert.bench.works import Batch

INPUTS: Final = ("input_ids", "attention_mask", "token_type_ids")
FUSIONS: Final = ("EmbedLayerNormalization", "Attention", "BiasGelu", "SkipLayerNormalization")
OPSET: Final = 17


def converted(setup: Setup, kind: str) -> Path:
    """The file or folder of this kind for a model; made once for all engines of a run.

    Raises:
        RuntimeError: the conversion failed; the message is the last line it printed.
    """
    path = setup.kept / kind
    if not path.exists():
        if kind == "fused.onnx":
            converted(setup, "exported.onnx")
        unfinished = path.with_name(f"{os.getpid()}-{kind}")  # several engines may want it at once
        command = [sys.executable, "-m", __name__, kind, str(setup.model), str(unfinished)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            last = done.stderr.strip().rpartition("\n")[2]
            raise RuntimeError(f"the conversion to {kind} failed: {last}")
        if not path.exists():
            unfinished.rename(path)
    return path


def export(model: Path, path: Path) -> None:
    """ONNX, free in batch and tokens, with the last hidden state as its output.

    By PyTorch's tracing exporter and from eager attention: the graph whose patterns ONNX Runtime's
    optimizer knows, which that of the newer exporter is not.
    """
    import torch
    import transformers

    transformers.logging.disable_progress_bar()
    loaded = transformers.AutoModel.from_pretrained(model, attn_implementation="eager").eval()

    class Hidden(torch.nn.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.model = loaded

        def forward(self, *inputs: Any) -> Any:
            return self.model(**dict(zip(INPUTS, inputs, strict=True))).last_hidden_state

    example = torch.ones((2, 7), dtype=torch.long)
    names = [*INPUTS, "last_hidden_state"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the exporter being the older one
        torch.onnx.export(
            Hidden().eval(),
            (example, example, example * 0),
            str(path),
            input_names=names[:-1],
            output_names=names[-1:],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names},
            opset_version=OPSET,
            dynamo=False,
        )


def onnx_inputs(batch: Batch) -> dict[str, NDArray[np.int64]]:
    """A batch as an exported graph takes it: (B, T) each."""
    ids, mask = batch.ids.astype(np.int64), batch.mask.astype(np.int64)
    return dict(zip(INPUTS, (ids, mask, np.zeros_like(ids)), strict=True))


def fuse(model: Path, path: Path) -> None:
    """The exported graph after ``onnxruntime.transformers.optimizer``.

    Its own level is 0: it fuses the same with 1, 2 and 99, and the session does the rest for the
    machine it runs on.
    """
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    from npbert.bench.models import config_of

    config = config_of(model)
    fused = optimizer.optimize_model(
        str(path.with_name("exported.onnx")),
        model_type="bert",
        num_heads=config.num_heads,
        hidden_size=config.hidden_dim,
        opt_level=0,
        optimization_options=FusionOptions("bert"),
        use_gpu=False,
    )
    fused.save_model_to_file(str(path))
    kinds = [node.op_type for node in fused.model.graph.node]
    counts = ", ".join(f"{kinds.count(name)} {name}" for name in FUSIONS)
    path.with_name("fused.txt").write_text(counts, encoding="utf-8")


def to_ctranslate2(model: Path, path: Path) -> None:
    """CTranslate2's own format, float32."""
    from ctranslate2.converters import TransformersConverter

    TransformersConverter(str(model)).convert(str(path))


KINDS: Final[dict[str, Callable[[Path, Path], None]]] = {
    "exported.onnx": export,
    "fused.onnx": fuse,
    "ctranslate2": to_ctranslate2,
}

if __name__ == "__main__":
    KINDS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
