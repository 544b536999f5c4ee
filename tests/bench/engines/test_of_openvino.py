"""OpenVINO's two hints, over a stand-in for it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from bench.engines.fakes import Noted, batch, engine_module, hidden, library, setup


class Request:
    """A request whose output is one array that the next call writes over."""

    def __init__(self):
        self.data = np.zeros((2, 4, 5), np.float32)

    def infer(self, feed, share_inputs):
        self.data = self.data[: len(feed["input_ids"])]
        self.data[...] = hidden(feed["input_ids"])

    def get_output_tensor(self, number):
        return SimpleNamespace(data=self.data)


class Queue:
    """Runs at once what is to run at some time."""

    sizes: list[int] = []  # noqa: RUF012

    def __init__(self, model, streams):
        self.sizes.append(streams)

    def set_callback(self, callback):
        self.callback = callback

    def start_async(self, feed, number, share_inputs):
        request = Request()
        request.infer(feed, share_inputs)
        self.callback(request, number)

    def wait_all(self):
        pass


@pytest.fixture
def compiled():
    model = SimpleNamespace(create_infer_request=Request, get_property=str.lower)
    return Noted(model)


@pytest.fixture
def module(monkeypatch, tmp_path, compiled):
    core = SimpleNamespace(compile_model=compiled)
    found = engine_module(
        monkeypatch, "of_openvino", library("openvino", Core=lambda: core, AsyncInferQueue=Queue)
    )
    monkeypatch.setattr(found, "converted", lambda setup, kind: tmp_path / kind)
    return found


def test_one_sequence_has_all_threads(module, compiled, tmp_path):
    engine = module.OpenVino()
    engine.load(setup(tmp_path))
    ((path, device, properties), _) = compiled.calls[0]
    assert (path, device) == (str(tmp_path / "exported.onnx"), "CPU")
    assert properties["PERFORMANCE_HINT"] == "LATENCY"
    assert properties["INFERENCE_PRECISION_HINT"] == "f32"
    assert properties["INFERENCE_NUM_THREADS"] == 3
    assert engine.settings()["num_streams"] == "num_streams"


def test_no_output_is_written_over(module, tmp_path):
    engine = module.OpenVino()
    engine.load(setup(tmp_path))
    other = batch()._replace(ids=batch().ids + 10)
    outputs = engine.run(engine.prepare([batch(), other]))
    np.testing.assert_array_equal(outputs[0], hidden(batch().ids))
    np.testing.assert_array_equal(outputs[1], hidden(other.ids))


def test_throughput_cuts_one_batch_into_streams(module, compiled, tmp_path):
    engine = module.OpenVinoThroughput()
    engine.load(setup(tmp_path))
    properties = compiled.calls[0][0][2]
    assert (properties["PERFORMANCE_HINT"], properties["NUM_STREAMS"]) == ("THROUGHPUT", 3)
    feeds = engine.prepare([batch()])
    assert [len(feed["input_ids"]) for feed in feeds] == [1, 1]
    (output,) = engine.run(feeds)
    np.testing.assert_array_equal(output, hidden(batch().ids))
    assert Queue.sizes[-1] == 3


def test_throughput_runs_batches_side_by_side(module, tmp_path):
    engine = module.OpenVinoThroughput()
    engine.load(setup(tmp_path))
    outputs = engine.run(engine.prepare([batch(), batch()]))
    assert [output.shape for output in outputs] == [(2, 4, 5)] * 2
