"""all-MiniLM-L6-v2 for ONNX Runtime: exported by PyTorch, as a user would.

``python -m live.onnx_model PATH`` writes the file.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from golden.cases import Arrays

INPUTS = {
    "input_ids": "token_ids",
    "attention_mask": "padding_mask",
    "token_type_ids": "segment_ids",
}


def export(model: Any, path: Path) -> None:
    """Write a transformers BertModel as one file, opset 17, free in batch and tokens."""
    import torch

    class Hidden(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *inputs: Any) -> Any:
            return self.model(**dict(zip(INPUTS, inputs, strict=True))).last_hidden_state

    example = torch.ones((2, 7), dtype=torch.long)
    names = [*INPUTS, "last_hidden_state"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the tracing exporter being the older one
        torch.onnx.export(
            Hidden().eval(),
            (example, example, example * 0),
            str(path),
            input_names=names[:-1],
            output_names=names[-1:],
            dynamic_axes={name: {0: "batch", 1: "tokens"} for name in names},
            opset_version=17,
            dynamo=False,
        )


def run(path: Path, inputs: Arrays) -> NDArray[np.float32]:
    """The last hidden state, (B, T, D), with ONNX Runtime's default settings."""
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    fed = {theirs: inputs[ours].astype(np.int64) for theirs, ours in INPUTS.items()}
    return session.run(None, fed)[0]


def export_minilm(path: Path) -> None:
    """all-MiniLM-L6-v2 of the installed package."""
    import transformers

    from golden.minilm import model_dir

    transformers.logging.disable_progress_bar()
    model = transformers.AutoModel.from_pretrained(model_dir(), attn_implementation="eager")
    export(model.eval(), path)


if __name__ == "__main__":
    export_minilm(Path(sys.argv[1]))
