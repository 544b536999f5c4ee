"""What is tried for each engine, and what is chosen."""

from __future__ import annotations

from bench.results import row

from npbert.bench import text_sweep
from npbert.bench.engines import ENGINES
from npbert.bench.race import Contestant
from npbert.bench.text_sweep import Choice


def test_npbert_runs_at_its_defaults():
    for name in ("npbert", "npbert-bfloat16"):
        assert text_sweep.choices(ENGINES[name], 2) == [Choice(32, 1, 2)]


def test_peers_try_every_batch_size_with_one_caller_and_with_several():
    tried = text_sweep.choices(ENGINES["onnxruntime"], 4)
    assert [choice.how for choice in tried[:2]] == [
        "batch 4, one caller with 4 threads",
        "batch 4, 4 callers with one thread each",
    ]
    assert len(tried) == 8
    alone = text_sweep.choices(ENGINES["onnxruntime"], 1)
    assert [choice.how for choice in alone][:1] == ["batch 4, one caller with 1 thread"]
    assert len(alone) == 4


def test_sentence_transformers_has_a_row_at_its_defaults():
    defaults = Contestant(
        row("sentence-transformers", how="batch 32, one caller with 2 threads"), [], "j"
    )
    assert text_sweep.is_default(defaults.row)
    again = text_sweep.as_default(defaults)
    assert (again.row.how, again.row.group) == ("at its defaults", text_sweep.DEFAULTS)
    others = ("batch 32, 2 callers with one thread each", "batch 8, one caller with 2 threads")
    assert not any(text_sweep.is_default(row("sentence-transformers", how=how)) for how in others)
    assert not text_sweep.is_default(row("torch-sdpa", how="batch 32, one caller with 2 threads"))


def test_a_note_of_the_sweep():
    tried = [Contestant(row("peer", 0.25, how="batch 4"), [], "j")]
    assert text_sweep.sweep_note(tried) == []
    tried.append(Contestant(row("peer", how="batch 8"), [], "j"))
    assert text_sweep.sweep_note(tried) == ["peer, sweep: batch 4 250 ms; batch 8 failed"]
