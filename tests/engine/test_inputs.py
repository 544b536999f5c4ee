"""What `BertBackbone` is called with: what it takes, and the words it refuses the rest with."""

from __future__ import annotations

import goldens
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from npbert.config import BertConfig
from npbert.engine.inputs import NAMES, check_inputs, check_sequences
from npbert.errors import InputError, InputTypeError

CONFIG = BertConfig(
    vocabulary_size=200,
    num_layers=0,
    num_heads=1,
    hidden_dim=8,
    intermediate_dim=9,
    max_sequence_length=7,
    num_segments=3,
)
IDS = np.array([[5, 199, 0, 7], [1, 2, 3, 100]])  # (B, T) = (2, 4)


def batch(**changes):
    good = {"token_ids": IDS, "segment_ids": IDS % 3, "padding_mask": IDS != 7}
    return good | changes


def refuse(error, words, inputs):
    with pytest.raises(error, match=words) as caught:
        check_inputs(inputs, CONFIG)
    assert str(caught.value).startswith(caught.value.what)
    return caught.value


# -- the dictionary --------------------------------------------------------------------------------


@pytest.mark.parametrize("inputs", [IDS, [IDS, IDS, IDS], None, "ids", 3])
def test_not_a_dictionary(inputs):
    error = refuse(InputTypeError, "^the model takes a dictionary", inputs)
    assert error.received == type(inputs).__name__
    assert error.expected == '{"token_ids": ..., "segment_ids": ..., "padding_mask": ...}'


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_input(name):
    inputs = batch()
    del inputs[name]
    error = refuse(InputError, f"^the dictionary of inputs lacks {name}\\.", inputs)
    assert error.expected == "token_ids, segment_ids, padding_mask"
    assert error.fix == (
        "segment_ids are zeros for a single text, padding_mask is 1 where a token is"
    )


def test_no_inputs():
    words = "lacks token_ids, segment_ids, padding_mask"
    assert refuse(InputError, words, {}).received == "no keys"


def test_an_extra_input():
    """Keras only warns, and then takes the arrays in alphabetical order: wrong numbers."""
    inputs = batch(attention_mask=IDS, another=IDS)
    refuse(InputError, r"has the unknown another, attention_mask\.", inputs)


def test_a_misspelt_input():
    inputs = batch(input_ids=IDS)
    del inputs["token_ids"]
    refuse(InputError, "lacks token_ids and has the unknown input_ids", inputs)


# -- shapes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(), (4,), (2, 4, 1), (1, 2, 4)])
def test_another_rank(name, shape):
    error = refuse(InputError, f"^{name} must have two axes", batch(**{name: np.zeros(shape, int)}))
    assert error.received == f"shape {shape}"
    wrap = "for a single sequence, wrap it in a list: [ids]"
    assert error.fix == (wrap if len(shape) == 1 else None)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shape", [(2, 3), (1, 4), (2, 1), (4, 2)])
def test_mismatched_shapes(name, shape):
    """Keras broadcasts some of these, and computes something else than was meant."""
    inputs = batch(**{name: np.zeros(shape, int)})
    error = refuse(InputError, "the three inputs must have one shape", inputs)
    assert f"{name} {shape}" in error.received
    assert error.fix == "pad the shorter ones; npbert does not broadcast"


def test_no_tokens():
    inputs = {name: np.zeros((3, 0), int) for name in NAMES}
    error = refuse(InputError, "^token_ids has sequences of no tokens", inputs)
    assert (error.received, error.expected) == ("T = 0", "1 to 7 tokens")


def test_too_many_tokens():
    inputs = {name: np.zeros((1, 8), int) for name in NAMES}
    error = refuse(InputError, "^token_ids is longer than the model's position table", inputs)
    assert (error.received, error.expected) == ("8 tokens", "at most 7 (max_sequence_length)")
    assert error.fix == "truncate the text, or split it and pool the parts"


@pytest.mark.parametrize("tokens", [1, 7])
def test_as_many_tokens_as_there_are_positions(tokens):
    inputs = {name: np.ones((2, tokens), int) for name in NAMES}
    assert check_inputs(inputs, CONFIG).token_ids.shape == (2, tokens)


@pytest.mark.kernel
@pytest.mark.parametrize("dtype", [int, float])
def test_an_empty_batch_gives_empty_outputs(dtype):
    """An empty list of lists becomes floats in NumPy: no ids, nothing to be wrong with them."""
    model, D = goldens.backbone("odd_width"), 20
    inputs = {name: np.zeros((0, 5), dtype) for name in NAMES}
    for outputs in (model(inputs), model(inputs, skip_padding=True), model.predict(inputs)):
        assert {name: (x.shape, x.dtype.name) for name, x in outputs.items()} == {
            "sequence_output": ((0, 5, D), "float32"),
            "pooled_output": ((0, D), "float32"),
        }
    _, stages = model.run_with_cache(inputs)
    assert list(stages) == goldens.stages(model.config)
    rows, starts = model.encode_ragged([])
    assert rows.shape[0] == 0
    assert starts.tolist() == [0]


# -- values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "value", "limit"),
    [
        ("token_ids", -1, "200 (vocabulary_size)"),
        ("token_ids", 200, "200 (vocabulary_size)"),
        ("token_ids", 2**31 + 1, "200 (vocabulary_size)"),
        ("token_ids", -(2**40), "200 (vocabulary_size)"),
        ("segment_ids", 3, "3 (num_segments)"),
        ("segment_ids", -1, "3 (num_segments)"),
    ],
)
def test_an_id_out_of_range(name, value, limit):
    wrong = batch()[name].copy()
    wrong[1, 2] = value
    error = refuse(InputError, f"^{name} has an id out of range", batch(**{name: wrong}))
    assert error.where == f"{name}[1, 2]"
    assert (error.received, error.expected) == (value, f"0 <= id < {limit}")
    fix = {"token_ids": "use the tokenizer that belongs to this model"}
    assert error.fix == fix.get(name, "number segments from 0")


def test_a_uint64_id_past_int64():
    refuse(InputError, "out of range", batch(token_ids=np.full((2, 4), 2**64 - 1, np.uint64)))


@pytest.mark.parametrize("name", ["token_ids", "segment_ids"])
@pytest.mark.parametrize(
    "values",
    [
        np.zeros((2, 4)),
        np.zeros((2, 4), complex),
        np.zeros((2, 4), object),
        np.zeros((2, 4), bool),
        np.full((2, 4), "1"),
        np.full((2, 4), b"1"),
        np.zeros((2, 4), "datetime64[s]"),
        np.zeros((2, 4), "timedelta64[s]"),
        np.zeros((2, 4), [("a", "i4")]),
        [[1, None, 2, 3], [4, 5, 6, 7]],
        [[2**70, 1, 1, 1]] * 2,
    ],
)
def test_ids_that_are_no_integers(name, values):
    error = refuse(InputTypeError, f"^{name} must hold integers", batch(**{name: values}))
    assert error.received == f"dtype {np.asarray(values).dtype}"
    assert "cast where they are made" in error.fix


@pytest.mark.parametrize("name", NAMES)
def test_ragged_lists(name):
    error = refuse(
        InputTypeError, f"^{name} cannot be read as an array", batch(**{name: [[1, 2], [3]]})
    )
    assert error.received.startswith("list: ")
    assert error.expected == "an integer array or nested lists of equal lengths"


@pytest.mark.parametrize("name", NAMES)
def test_none(name):
    error = refuse(InputError, f"^{name} ", batch(**{name: None}))
    assert "None" in str(error)


@pytest.mark.parametrize("name", NAMES)
def test_a_masked_array(name):
    """Whoever masks ids in NumPy means a padding_mask, and would not get it."""
    masked = np.ma.array(IDS % 3, mask=IDS == 0)
    error = refuse(InputTypeError, f"^{name} is a masked array with", batch(**{name: masked}))
    assert error.fix == "fill them, and pass the mask as padding_mask"
    nothing_masked = np.ma.array(IDS % 3, mask=False)
    assert check_inputs(batch(**{name: nothing_masked}), CONFIG).kept.any()


@pytest.mark.parametrize(
    "mask",
    [
        *(IDS != 7, (IDS != 7).astype(np.int8), (IDS != 7) * -256, (IDS != 7) * 1.0),
        *((IDS != 7).tolist(), (IDS != 7).astype(np.float16)),
    ],
)
def test_whatever_is_not_zero_keeps(mask):
    np.testing.assert_array_equal(check_inputs(batch(padding_mask=mask), CONFIG).kept, IDS != 7)


@pytest.mark.parametrize("value", [0.5, np.nan, 1 - 1e-12])
def test_a_mask_with_fractions(value):
    mask = np.ones((2, 4))
    mask[1, 3] = value
    error = refuse(InputError, "^padding_mask holds fractions", batch(padding_mask=mask))
    assert error.received == str(value)


@pytest.mark.parametrize("dtype", [complex, object, "U1", "datetime64[s]"])
def test_a_mask_that_is_no_number(dtype):
    words = "^padding_mask must hold booleans or integers"
    refuse(InputTypeError, words, batch(padding_mask=np.zeros((2, 4), dtype)))


# -- sequences -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sequences", "error", "words"),
    [
        ([[1], [[2]]], InputError, r"token_ids\[1\] must have one axis"),
        ([[1], []], InputError, r"token_ids\[1\] has sequences of no tokens"),
        ([[1] * 8], InputError, r"token_ids\[0\] is longer than the model's position table"),
        ([[1], [2], [3, 200]], InputError, r"token_ids\[2\] has an id out of range"),
        ([[1.5]], InputTypeError, r"token_ids\[0\] must hold integers"),
        ([[1], None], InputError, r"token_ids\[1\] "),
    ],
)
def test_sequences_are_refused_with_their_number(sequences, error, words):
    with pytest.raises(error, match=words):
        check_sequences(sequences, CONFIG)


@given(st.lists(st.lists(st.integers(0, 199), min_size=1, max_size=7), max_size=5))
def test_sequences_become_int32(sequences):
    checked = check_sequences(sequences, CONFIG)
    assert [each.tolist() for each in checked] == sequences
    assert all(each.dtype == np.int32 for each in checked)
