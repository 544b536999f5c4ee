"""ONNX Runtime: exported by PyTorch, fused by ``onnxruntime.transformers.optimizer``."""

from __future__ import annotations

from typing import Any

import onnxruntime

from npbert.bench.engines.base import F32, Engine, Setup
from npbert.bench.engines.convert import converted, onnx_inputs
from npbert.bench.works import Batch


class OnnxRuntime(Engine):
    """One session; the file that the optimizer wrote, and all that the session itself optimizes."""

    def load(self, setup: Setup) -> None:
        path = converted(setup, "fused.onnx")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = setup.threads, 1
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
        self._session: Any = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._fused = path.with_name("fused.txt").read_text(encoding="utf-8")

    def settings(self) -> dict[str, str]:
        return {"fused": self._fused, "optimization": "ORT_ENABLE_ALL"}

    def feed(self, batch: Batch) -> Any:
        return onnx_inputs(batch)

    def call(self, feed: Any) -> F32:
        return self._session.run(None, feed)[0]
