"""OpenVINO in float32, by either of its two hints."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import openvino

from npbert.bench.engines.base import F32, Engine, Setup
from npbert.bench.engines.convert import converted, onnx_inputs
from npbert.bench.works import Batch


class OpenVino(Engine):
    """One request at a time, all threads on it: what one sequence wants."""

    hint = "LATENCY"

    def load(self, setup: Setup) -> None:
        properties = {
            "INFERENCE_PRECISION_HINT": "f32",
            "EXECUTION_MODE_HINT": "ACCURACY",
            "PERFORMANCE_HINT": self.hint,
            "INFERENCE_NUM_THREADS": setup.threads,
            **self.more(setup),
        }
        source = str(converted(setup, "exported.onnx"))
        self._model: Any = openvino.Core().compile_model(source, "CPU", properties)
        self._own = threading.local()

    def more(self, setup: Setup) -> dict[str, Any]:
        """Properties besides."""
        return {}

    def settings(self) -> dict[str, str]:
        names = ("PERFORMANCE_HINT", "INFERENCE_PRECISION_HINT", "NUM_STREAMS")
        return {name.lower(): str(self._model.get_property(name)) for name in names}

    def feed(self, batch: Batch) -> Any:
        return onnx_inputs(batch)

    def call(self, feed: Any) -> F32:
        if not hasattr(self._own, "request"):  # each calling thread needs one
            self._own.request = self._model.create_infer_request()
        request = self._own.request
        request.infer(feed, share_inputs=True)
        return request.get_output_tensor(0).data

    def run(self, feeds: Sequence[Any]) -> list[F32]:
        if len(feeds) == 1:
            return [self.call(feeds[0])]
        return [self.call(feed).copy() for feed in feeds]  # the next call writes over it


class OpenVinoThroughput(OpenVino):
    """Requests side by side, a stream for each thread; one batch is cut into as many."""

    hint = "THROUGHPUT"

    def more(self, setup: Setup) -> dict[str, Any]:
        self._streams = setup.threads
        return {"NUM_STREAMS": setup.threads}

    def prepare(self, batches: Sequence[Batch]) -> list[Any]:
        self._whole = len(batches) > 1
        if self._whole:
            return super().prepare(batches)
        batch = batches[0]
        rows = np.array_split(np.arange(len(batch.ids)), min(self._streams, len(batch.ids)))
        return super().prepare([Batch(*(array[r] for array in batch)) for r in rows])

    def run(self, feeds: Sequence[Any]) -> list[F32]:
        outputs: list[Any] = [None] * len(feeds)
        queue = openvino.AsyncInferQueue(self._model, self._streams)

        def keep(request: Any, number: int) -> None:
            outputs[number] = request.get_output_tensor(0).data.copy()

        queue.set_callback(keep)
        for number, feed in enumerate(feeds):
            queue.start_async(feed, number, share_inputs=True)
        queue.wait_all()
        return outputs if self._whole else [np.concatenate(outputs)]
