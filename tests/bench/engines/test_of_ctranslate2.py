"""CTranslate2's settings and inputs, over a stand-in for it."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
from bench.engines.fakes import Noted, batch, engine_module, hidden, library, setup


def test_lengths_go_with_the_ids(monkeypatch, tmp_path):
    def forward(ids, lengths):
        assert lengths.tolist() == [2, 4]
        return SimpleNamespace(last_hidden_state=hidden(ids))

    made = Noted(SimpleNamespace(compute_type="float32", forward_batch=forward))
    view = SimpleNamespace(from_array=lambda array: array)
    module = engine_module(
        monkeypatch, "of_ctranslate2", library("ctranslate2", Encoder=made, StorageView=view)
    )
    monkeypatch.setattr(module, "converted", lambda setup, kind: tmp_path / kind)
    engine = module.CTranslate2()
    engine.load(setup(tmp_path))
    ((path,), told) = made.calls[0]
    assert path == str(tmp_path / "ctranslate2")
    assert told["compute_type"] == "float32"
    assert (told["intra_threads"], told["inter_threads"]) == (3, 1)
    (output,) = engine.run(engine.prepare([batch()]))
    np.testing.assert_array_equal(output, hidden(batch().ids))
    monkeypatch.setenv("CT2_FORCE_CPU_ISA", "AVX2")
    assert engine.settings() == {"compute_type": "float32", "isa": "AVX2"}
