from __future__ import annotations

import pytest

from npbert.errors import ConfigError
from npbert.tasks import classifier_options as options


def test_what_is_taken():
    assert options.activation(None) == "linear"
    assert options.activation("softmax") == "softmax"
    assert options.dropout(0) == 0
    assert options.labels(None, 3) is None
    assert options.labels(["a", "b"], 2) == ("a", "b")
    assert options.problem_type(None) is None
    assert options.problem_type("regression") == "regression"


@pytest.mark.parametrize(
    ("check", "arguments", "words"),
    [
        (options.activation, ("softmx",), "linear, softmax, sigmoid, tanh(.|\n)*'softmax'"),
        (options.activation, (5,), "unknown activation '5'"),
        (options.dropout, (1.5,), r"dropout must be a number in \[0, 1\](.|\n)*1.5 \(float\)"),
        (options.dropout, (True,), r"dropout must be(.|\n)*True \(bool\)"),
        (options.labels, (["a"], 2), "one str for each class(.|\n)*2 of them"),
        (options.labels, ("ab", 2), "one str for each class"),
        (options.labels, (5, 2), "one str for each class"),
        (options.labels, (["a", 5], 2), "one str for each class"),
        (options.problem_type, ("regresion",), "did you mean 'regression'"),
    ],
)
def test_what_is_refused(check, arguments, words):
    with pytest.raises(ConfigError, match=words):
        check(*arguments)


@pytest.mark.parametrize(
    ("activation", "problem", "classes", "expected"),
    [
        ("linear", None, 3, "softmax"),
        ("linear", None, 1, "sigmoid"),
        ("linear", "single_label_classification", 2, "softmax"),
        ("linear", "multi_label_classification", 2, "sigmoid"),
        ("linear", "regression", 1, "linear"),
        ("tanh", None, 3, "linear"),
        ("sigmoid", "multi_label_classification", 3, "linear"),
    ],
)
def test_how_an_output_is_read(activation, problem, classes, expected):
    assert options.reading(activation, problem, classes) == expected
