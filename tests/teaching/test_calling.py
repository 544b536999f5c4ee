from __future__ import annotations

import sys

import numpy as np
import pytest

from npbert.teaching.calling import STEPS, Trouble, call

EXPECTED = "scale(x, factor)"


def called(function, *, limited=False):
    return call(function, EXPECTED, (np.ones(3), 2.0), limited=limited)


def test_what_is_returned_is_handed_on():
    assert called(lambda x, factor: x * factor).tolist() == [2, 2, 2]


def test_an_argument_may_be_by_name_only():
    def function(x, *, factor):
        return x[0] * factor

    assert called(function) == 2


def test_a_function_without_a_signature():
    assert called(np.multiply).tolist() == [2, 2, 2]


def test_the_arguments_are_copies():
    x = np.ones(3)

    def in_place(x, factor):
        x *= factor
        return x

    trouble = call(in_place, EXPECTED, (x, 2.0), limited=False)
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


def test_a_loop_without_end_is_left():
    def endless(x, factor):
        while True:
            pass

    before = sys.gettrace()
    assert called(endless, limited=True).key == "endless"
    assert sys.gettrace() is before


def test_a_loop_with_an_end_is_not():
    assert called(lambda x, factor: sum(range(STEPS)), limited=True)


def test_an_interrupt_goes_through():
    def interrupted(x, factor):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        called(interrupted)
