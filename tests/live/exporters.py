"""PyTorch's two exporters to ONNX."""

from __future__ import annotations

import importlib
import warnings

NAMES = ["input_ids", "attention_mask", "token_type_ids"]


def imported(name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(name)


def export(model, path, dynamo):
    """The encoder with both of its outputs, free in batch and tokens."""
    torch = imported("torch")

    class Both(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.bert = model

        def forward(self, *given):
            made = self.bert(**dict(zip(NAMES, given)))
            return made.last_hidden_state, made.pooler_output

    free = [{0: torch.export.Dim("b"), 1: torch.export.Dim("t")}] * 3
    more = {"dynamic_shapes": (tuple(free),)} if dynamo else {"opset_version": 17}
    outputs = ["last_hidden_state", "pooler_output"]
    if not dynamo:
        more["dynamic_axes"] = {name: {0: "batch", 1: "tokens"} for name in [*NAMES, *outputs]}
    torch.onnx.export(
        Both().eval(),
        tuple(torch.arange(14).reshape(2, 7) % most for most in (11, 2, 2)),
        str(path),
        input_names=NAMES,
        output_names=outputs,
        dynamo=dynamo,
        **({"verbose": False} if dynamo else {}),
        **more,
    )
