from __future__ import annotations

import statistics
import sys
from functools import partial

import numpy as np
import pytest

from npbert.teaching.calling import STEPS, Trouble, call
from npbert.teaching.exercise import Exercise

SCALE = Exercise("scale(x, factor)", "", np.multiply, (), (), "")


def called(function, *, limited=False):
    return call(function, SCALE._replace(texts=limited), (np.ones(3), 2.0))


def test_what_is_returned_is_handed_on():
    assert called(lambda x, factor: x * factor).tolist() == [2, 2, 2]


def test_an_argument_may_be_by_name_only():
    def function(x, *, factor):
        return x[0] * factor

    assert called(function) == 2


def test_nan_among_the_arguments_is_no_change_of_them():
    assert np.isnan(call(lambda x, factor: x, SCALE, (np.full(3, np.nan), 2.0))).all()


def test_a_function_without_a_signature():
    assert called(np.multiply).tolist() == [2, 2, 2]


def test_the_arguments_are_copies():
    x = np.ones(3)

    def in_place(x, factor):
        x *= factor
        return x

    trouble = call(in_place, SCALE, (x, 2.0))
    assert trouble == Trouble(
        "in_place",
        "changes its argument x, which others still need",
        "make a new value: no += or [...] = on x",
    )
    assert x.tolist() == [1, 1, 1]


def test_a_wrong_signature():
    trouble = called(lambda x: x)
    assert trouble.key == "signature"
    assert trouble.says == "cannot be called: too many positional arguments"
    assert trouble.fix == "write it as scale(x, factor)"


def test_an_exception_is_shown_with_its_line():
    def broken(x, factor):
        return x + np.ones(4)

    trouble = called(broken)
    assert trouble.key == "raised"
    assert "ValueError: operands could not be broadcast together" in trouble.says
    assert "`return x + np.ones(4)`" in trouble.says


def test_no_line_of_a_library_is_shown():
    assert "`return statistics.mean([])`" in called(raises_in_a_library).says
    assert called(partial(np.add, 1)).says.startswith("raised TypeError: ")
    assert "(line" not in called(partial(np.add, 1)).says


def raises_in_a_library(x, factor):
    return statistics.mean([])


def test_a_long_message_is_cut():
    def broken(x, factor):
        raise ValueError("x" * 1000)

    assert len(called(broken).says) < 400


@pytest.mark.parametrize(
    ("function", "key"),
    [(lambda x, factor: None, "no_return"), (lambda x, factor: print(end=""), "no_return")],
)
def test_nothing_returned(function, key):
    assert called(function).key == key


def test_warnings_of_numbers_are_not_the_learners_business():
    assert np.isnan(called(lambda x, factor: (x - x) / (x - x))).all()


def on_two_lines(x, factor):
    while True:
        pass


def on_one_line(x, factor):
    while True: pass  # fmt: skip  # noqa: E701


def in_a_helper(x, factor):
    return on_one_line(x, factor)


def that_catches(x, factor):
    while True:
        try:
            x + factor
        except Exception:
            factor += 1


class Endless:
    def __call__(self, x, factor):
        on_one_line(x, factor)


@pytest.mark.parametrize(
    "endless",
    [on_two_lines, on_one_line, in_a_helper, that_catches, partial(on_one_line), Endless()],
)
def test_a_loop_without_end_is_left(endless):
    before = sys.gettrace()
    assert called(endless, limited=True).key == "endless"
    assert sys.gettrace() is before


def test_only_the_learners_own_steps_count():
    library = {}
    exec("def last(numbers):\n    for n in numbers: pass\n    return n\n", library)
    assert called(lambda x, factor: library["last"](range(STEPS)), limited=True) == STEPS - 1


def test_a_loop_with_an_end_is_not():
    assert called(lambda x, factor: sum(range(STEPS)), limited=True)


def test_an_interrupt_goes_through():
    def interrupted(x, factor):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        called(interrupted)
