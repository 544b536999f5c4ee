from __future__ import annotations

import numpy as np
import pytest

import npbert
from npbert.errors import ConfigError, InputTypeError
from npbert.ops.layer_norm import layer_norm
from npbert.teaching import EXERCISES
from npbert.teaching.cases import plain

NUMBERS = [name for name, exercise in EXERCISES.items() if not exercise.texts]


@pytest.mark.parametrize("name", EXERCISES)
def test_the_right_function_passes(name):
    verdict = npbert.check(name, EXERCISES[name].right)
    assert verdict
    assert verdict.right
    assert verdict.cause is None


def planted():
    for name, exercise in EXERCISES.items():
        for i, mistake in enumerate(exercise.mistakes):
            yield pytest.param(name, mistake, id=f"{name}-{i}-{mistake.key}")


@pytest.mark.parametrize(("name", "mistake"), list(planted()))
def test_no_mistake_of_the_table_passes_or_is_taken_for_another(name, mistake):
    verdict = npbert.check(name, mistake.function)
    assert not verdict
    assert verdict.cause == ("nan" if nothing_but_nan(name, mistake) else mistake.key)


def nothing_but_nan(name, mistake):
    """0 / 0 at masked keys makes all that attention sums up NaN: many mistakes look like that."""
    if name != "attention" or mistake.key not in ("softmax_axis", "softmax_over_heads"):
        return False
    with np.errstate(invalid="ignore"):
        return np.isnan(mistake.function(*EXERCISES[name].tiny)).all()


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize(
    "slip",
    [
        lambda x: 1.003 * x,
        lambda x: x + 0.01,
        lambda x: np.sin(x),
        lambda x: x[..., ::-1],
        lambda x: np.random.default_rng(7).permutation(x.ravel()).reshape(x.shape),
        lambda x: np.where(np.arange(x.shape[-1]) == 1, 0, x),
    ],
    ids=["scaled", "shifted", "sine", "reversed", "shuffled", "column"],
)
def test_what_no_table_has_is_given_no_name(name, slip):
    right = EXERCISES[name].right
    verdict = npbert.check(name, lambda *x: slip(np.asarray(plain(right(*x)))))
    assert not verdict
    assert verdict.cause is None
    at = f": first wrong at {verdict.stage}" if verdict.stage else ""
    assert verdict.sentence == f"Your {name} is not right, and it is no mistake I know{at}."
    assert bool(at) == (name not in ("gelu_erf", "cosine"))  # of which the toy has neither


def test_a_mistake_in_one_place_alone_is_not_named():
    """A cause has to give the learner's numbers in every call."""
    calls = []

    def fickle(x, gamma, beta, epsilon):
        calls.append(x)
        unbiased = len(calls) == 3
        deviation = np.sqrt(x.var(-1, keepdims=True, ddof=unbiased) + epsilon)
        return (x - x.mean(-1, keepdims=True)) / deviation * gamma + beta

    verdict = npbert.check("layer_norm", fickle)
    assert not verdict
    assert verdict.cause is None
    assert verdict.stage == "layer.0.output_layer_norm"


def test_what_comes_of_it_is_shown():
    verdict = npbert.check("gelu", lambda x: x * 0)
    assert 'fills "she put money in the [MASK]." with' in verdict.effect
    assert verdict.stage == "layer.0.activation"
    assert verdict.where == "first at layer.0.activation of the toy BERT, off by up to 3"
    assert verdict.example.given[0][0] == "x"
    assert verdict.read == "npbert/ops/gelu.py"


def test_a_row_is_shown_where_the_small_example_is_right():
    def wrong_from_the_ninth_feature_on(x):
        right = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
        return np.where(np.arange(x.shape[-1]) < 9, right, 0)

    example = npbert.check("gelu", wrong_from_the_ninth_feature_on).example
    (_, row), (_, columns) = example.given
    assert len(row) == 2
    assert len(columns) == len(example.expected) == 8
    assert (example.expected != example.received).any()


def test_what_is_shown_is_the_readers_to_keep():
    wrong = npbert.check("gelu", lambda x: x)
    wrong.example.given[0][1][:] = 7
    assert EXERCISES["gelu"].tiny[0].tolist() == [-3, -1, 0, 1, 3]


def test_another_shape_is_said():
    verdict = npbert.check("layer_norm", lambda x, gamma, beta, epsilon: x[:, :5])
    assert verdict.cause == "shape"
    assert verdict.sentence == (
        "Your layer_norm returns the shape (3, 5, 16), where (3, 17, 16) is expected."
    )


def test_what_goes_wrong_before_there_are_numbers():
    def later(x):
        raise NotImplementedError("your turn")

    verdict = npbert.check("gelu", later)
    assert not verdict
    assert verdict.cause == "not_written"
    assert verdict.sentence == "Your gelu is not written yet."
    assert verdict.where.startswith(
        "called for layer.0.activation of the toy BERT; shapes (B, T, F)"
    )
    verdict = npbert.check("wordpiece", lambda word, vocabulary: None)
    assert verdict.sentence == "Your wordpiece returns None."


def test_npberts_own_functions_may_be_given():
    """Its epsilon is taken by name only."""
    assert npbert.check("layer_norm", layer_norm)


def test_an_unknown_name_is_an_error_with_the_nearest():
    with pytest.raises(ConfigError, match="layer_norm"):
        npbert.check("layernorm", layer_norm)


@pytest.mark.parametrize("name", [None, ["gelu"]])
def test_a_name_is_a_text(name):
    with pytest.raises(InputTypeError, match="an exercise is named by a text"):
        npbert.check(name, layer_norm)


def test_only_functions_are_checked():
    with pytest.raises(InputTypeError, match="pass the function itself"):
        npbert.check("gelu", np.ones(3))
