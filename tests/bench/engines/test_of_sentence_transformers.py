"""sentence-transformers as its users call it, over a stand-in for it."""

from __future__ import annotations

from types import SimpleNamespace

from bench.engines.fakes import Noted, engine_module, library, setup


def test_encode(monkeypatch, tmp_path):
    encode, threads = Noted("vectors"), Noted()
    model = SimpleNamespace(encode=encode, max_seq_length=256)
    cpu = SimpleNamespace(get_cpu_capability=lambda: "AVX2")
    torch = library("torch", set_num_threads=threads, backends=SimpleNamespace(cpu=cpu))
    logging = SimpleNamespace(disable_progress_bar=Noted())
    made = Noted(model)
    module = engine_module(
        monkeypatch,
        "of_sentence_transformers",
        torch,
        library("transformers", logging=logging),
        library("sentence_transformers", SentenceTransformer=made),
    )
    engine = module.SentenceTransformers()
    engine.load(setup(tmp_path))
    engine.load_texts(setup(tmp_path))
    assert made.calls == [((str(tmp_path / "model"),), {"device": "cpu"})]
    assert threads.calls == [((3,), {})]
    assert engine.encode(("a", "b"), 16) == "vectors"
    assert encode.calls == [((["a", "b"],), {"batch_size": 16, "show_progress_bar": False})]
    assert engine.settings() == {"max_seq_length": "256", "cpu_capability": "AVX2"}
