"""What is compared where a side shows only a part: stages, weights, tokens, vectors, a record."""

from __future__ import annotations

import dataclasses

import goldens
import numpy as np
import pytest
from parity.sides import Side, edited, golden, recorded

from npbert.errors import InputError
from npbert.parity.budget import Tolerance
from npbert.parity.compare import compare
from npbert.parity.texts import TEXTS
from npbert.parity.types import Tokens

CASE = "deep"
INPUTS = goldens.inputs(CASE)

# -- without weights, without stages, without anything ---------------------------------------------


def test_without_weights_it_is_said_that_noise_was_not_measured():
    stages = golden(CASE).run(INPUTS)
    report = compare(Side("a", stages=stages), Side("b", stages=stages), inputs=INPUTS)
    assert report.verdict == "agree"
    assert {each.noise for each in report.stages} == {None}
    assert any("rounding was not measured" in note for note in report.notes)
    wrong = {**stages, "layer.1.key": stages["layer.1.key"] + np.float32(1e-3)}
    report = compare(Side("a", stages=stages), Side("b", stages=wrong), inputs=INPUTS)
    assert (report.verdict, report.first, report.side) == ("differ", "layer.1.key", None)
    assert report.diagnosis.cause is None


def test_the_tolerances_of_a_record_count_where_noise_is_unknown():
    stages = recorded(CASE, "tf32").stages
    record = Side("record", recorded=goldens.inputs(CASE), stages=stages)
    record.tolerances = {"layer.1.key": Tolerance(1e-30, None), "pooled_output": Tolerance(1, None)}
    report = compare(record, Side(stages=recorded(CASE, "jax32").stages))
    found = {each.stage: each.tolerance for each in report.stages}
    assert (found["layer.1.key"], found["pooled_output"]) == (1e-30, 1)
    assert (report.verdict, report.first) == ("differ", "layer.1.key")
    assert any("the tolerances are those of the record" in note for note in report.notes)
    half = {name: array.astype(np.float16) for name, array in stages.items()}
    wider = {each.stage: each.tolerance for each in compare(record, Side(stages=half)).stages}
    assert wider["pooled_output"] == 2**13  # as float16's unit of rounding to float32's
    known = compare(record, golden(CASE))  # it has weights
    assert {each.stage: each.tolerance for each in known.stages}["pooled_output"] < 1e-5


def test_nothing_shared_is_not_comparable():
    report = compare(Side("a"), golden(CASE), inputs=INPUTS)
    assert (report.verdict, report.stages, report.first) == ("not comparable", [], None)
    assert "the sides share nothing that could be compared" in report.notes


def test_stages_of_other_shapes_are_not_comparable():
    inputs = {**INPUTS, "segment_ids": np.zeros_like(INPUTS["token_ids"])}
    report = compare(golden("odd_width"), golden(CASE), inputs=inputs)
    assert report.verdict == "not comparable"
    assert any("none of the same shape" in note for note in report.notes)


def test_one_stage_of_another_shape_differs():
    stages = golden(CASE).run(INPUTS)
    stages = {**stages, "layer.1.key": stages["layer.1.key"].swapaxes(2, 3)}
    report = compare(golden(CASE), Side(stages=stages), inputs=INPUTS)
    assert (report.verdict, report.first) == ("differ", "layer.1.key")


def test_weights_alone_can_be_compared():
    a = Side("a", tensors=goldens.weights(CASE))
    assert compare(a, a).verdict == "agree"
    b = edited(CASE, "pooled_dense/bias", lambda w: w + 1)
    report = compare(a, Side("b", tensors=b.tensors))
    assert (report.verdict, report.stages) == ("differ", [])


def test_a_missing_pooler_is_noted():
    a = golden(CASE)
    tensors = {name: w for name, w in a.tensors.items() if not name.startswith("pooled")}
    report = compare(a, golden(CASE, tensors=tensors, model=tensors), inputs=INPUTS)
    assert report.verdict == "agree"
    (said,) = [note for note in report.notes if note.startswith("weights of one side alone: ")]
    assert "pooled_dense/bias" in said


# -- inputs, tokens and texts ----------------------------------------------------------------------

WORDS = ("one two three", "two one", "three", "one one two two")
ROWS = [[1, 3, 4, 5, 2], [1, 4, 3, 2], [1, 5, 2], [1, 3, 3, 4, 4, 2]]
VECTORS = np.random.default_rng(0).normal(size=(4, 22)).astype(np.float32)


def tokens(rows=ROWS):
    return Tokens(rows, [[f"t{i}" for i in row] for row in rows])


def test_inputs_are_the_texts_as_a_tokenizes_them():
    a, b = golden(CASE, tokens=tokens(), name="ours"), golden(CASE)
    report = compare(a, b, texts=WORDS)
    assert "the inputs are the texts as ours tokenizes them" in report.notes
    assert report.stages[0].shapes[0] == (4, 6, 22)
    assert report.tokens is None
    assert (report.ranking.texts, report.ranking.spearman) == (4, 1)
    assert "ours" in compare(b, a, texts=WORDS).notes[0]


def test_other_tokens_differ_though_the_stages_agree():
    other = tokens([*ROWS[:3], [1, 3, 6, 4, 4, 2]])
    report = compare(golden(CASE, tokens=tokens()), golden(CASE, tokens=other), texts=WORDS)
    assert (report.verdict, report.first, report.tokens.different) == ("differ", None, 1)
    assert report.tokens.ids == (3, 6)
    assert any("the tokens differ" in note for note in report.notes)


def test_the_vectors_of_texts_are_compared_and_ranked():
    a = golden(CASE, tokens=tokens(), vectors={"text.pooling": VECTORS, "text.vector": VECTORS})
    same = dataclasses.replace(a, vectors={"text.vector": VECTORS + np.float32(1e-7)})
    report = compare(a, same, texts=WORDS)
    assert (report.verdict, report.stages[-1].stage) == ("agree", "text.vector")
    assert report.ranking.largest_change < 1e-6
    other = dataclasses.replace(a, vectors={"text.vector": VECTORS + np.float32(1e-2)})
    assert compare(a, other, texts=WORDS).first == "text.vector"


def test_vectors_alone_can_be_compared():
    a, b = (Side(name, vectors={"text.vector": VECTORS}) for name in "ab")
    assert compare(a, b, texts=WORDS).verdict == "agree"


def test_sides_without_a_tokenizer_run_on_random_ids():
    report = compare(golden(CASE), golden(CASE, np.float64))
    assert report.verdict == "agree"
    assert "drawn at random" in report.notes[0]


def test_a_record_is_run_on_its_own_inputs():
    report = compare(golden(CASE), recorded(CASE, "tf32"), diagnose=False)
    assert report.notes[0] == "the inputs are those that deep of tf32 was recorded with"
    other = dataclasses.replace(recorded(CASE, "tf32"), recorded=goldens.inputs("odd_width"))
    with pytest.raises(InputError, match="recorded with different inputs"):
        compare(recorded(CASE, "jax32"), other)


def test_the_texts_of_a_comparison_are_ours_unless_given():
    asked = []

    class Asked(Side):
        def tokenize(self, texts):
            asked.append(texts)

    compare(Asked(), Asked())
    assert asked == [TEXTS, TEXTS]
    compare(Asked(), Asked(), inputs=INPUTS)
    assert len(asked) == 2


def test_ids_that_are_not_in_as_tables():
    config = dataclasses.replace(goldens.config(CASE), vocabulary_size=12)
    table = {**goldens.weights(CASE)}
    table["token_embedding/embeddings"] = table["token_embedding/embeddings"][:12]
    a = Side("a", config=config, tensors=table, stages=golden(CASE).run(INPUTS))
    report = compare(a, golden(CASE), inputs=INPUTS)
    assert any("or these ids are not in them" in note for note in report.notes)


def test_configs_that_differ_are_noted_and_both_sides_described():
    changed = dataclasses.replace(goldens.config(CASE), layer_norm_epsilon=1e-5)
    b = golden(CASE, config=changed, name="b", environment={"torch": "2"})
    report = compare(golden(CASE), b, inputs=INPUTS)
    assert "the configs differ: layer_norm_epsilon 1e-12 and 1e-05" in report.notes
    assert report.b["environment"] == {"torch": "2"}
    assert (report.b["name"], report.b["kind"]) == ("b", "test")
    assert report.b["config"]["layer_norm_epsilon"] == 1e-5
    assert compare(Side(), Side()).a["config"] is None
