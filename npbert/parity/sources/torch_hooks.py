"""Hooks on a BertModel of transformers: each stage is handed over as it comes by.

What no module receives or returns, the scores, is seen where the functions of torch are called.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import numpy as np

from npbert.dtype_policy import numpy_dtype
from npbert.parity.sources.base import imported
from npbert.parity.sources.modules import attention_path, modules
from npbert.parity.types import Array

_PRODUCTS: Final = ("matmul", "bmm", "einsum", "mul", "div", "truediv")
_AFTER: Final = ("add", "iadd", "sub", "softmax", "masked_fill", "where")

Keep = Callable[[str, Any], None]
"""Takes a stage's name and its tensor."""


def attach(model: Any, keep: Keep, stack: ExitStack, torch: Any) -> Any:
    """Hook every module that shows a stage, until ``stack`` ends; the mode that sees the scores."""
    num_layers = len(model.encoder.layer)
    for module in modules(num_layers):
        found = submodule(model, module.path)
        if found is not None:
            hook = _hook(module.received, module.returned, keep)
            stack.callback(found.register_forward_hook(hook).remove)
    watch = _score_watch(torch, keep)
    for i in range(num_layers):
        attention = submodule(model, attention_path(i))
        if attention is not None:
            before, after = watch.hooks(f"layer.{i}")
            stack.callback(attention.register_forward_pre_hook(before).remove)
            stack.callback(attention.register_forward_hook(after).remove)
    return watch


def submodule(model: Any, path: str) -> Any:
    """The module of this name; None where there is none."""
    try:
        return model.get_submodule(path)
    except AttributeError:  # one that somebody took out
        return None


def _hook(received: str | None, returned: str, keep: Keep) -> Callable[..., None]:
    def after(_module: Any, inputs: Any, output: Any) -> None:
        if received:
            keep(received, inputs[0])
        keep(returned, output)

    return after


def _score_watch(torch: Any, keep: Keep) -> Any:
    """A mode of torch that sees the functions called in an attention module, and their results.

    Of the products of the shape (B, N, T, T), the last before anything is added or normalised is
    the scores.
    """

    class ScoreWatch(torch.overrides.TorchFunctionMode):  # type: ignore[misc]
        layer: str | None = None

        def __torch_function__(
            self, function: Any, types: Any, args: Any = (), kwargs: Any = None
        ) -> Any:
            result = function(*args, **(kwargs or {}))
            if self.layer is not None and getattr(result, "ndim", 0) == 4:
                self._see(str(getattr(function, "__name__", "")).strip("_"), result)
            return result

        def _see(self, function: str, result: Any) -> None:
            square = result.shape[-1] == result.shape[-2]
            if function in _PRODUCTS and square:
                keep(f"{self.layer}.scores", result)
            elif function in _AFTER:
                self.layer = None

        def hooks(self, layer: str) -> tuple[Callable[..., None], Callable[..., None]]:
            def before(*_: Any) -> None:
                self.layer = layer

            def after(_module: Any, _inputs: Any, output: Any) -> None:
                self.layer = None
                if isinstance(output, tuple) and len(output) > 1 and output[1] is not None:
                    keep(f"{layer}.probs", output[1])

            return before, after

    return ScoreWatch()


def to_numpy(tensor: Any) -> Array:
    """A copy of a tensor in its own dtype; bfloat16, which NumPy does not have, as ml_dtypes'."""
    tensor = tensor.detach().cpu().contiguous()
    if str(tensor.dtype) == "torch.bfloat16":
        bits = tensor.view(imported("torch", "torch", "torch").int16).numpy()
        return np.array(bits).view(numpy_dtype("bfloat16"))
    return np.array(tensor.numpy())
