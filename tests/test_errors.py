"""The errors: one shape, one root, and they survive a process boundary."""

from __future__ import annotations

import pickle

import pytest

from npbert import errors
from npbert.errors import NpbertError

CLASSES = [
    value
    for value in vars(errors).values()
    if isinstance(value, type) and issubclass(value, NpbertError) and value is not NpbertError
]
BUILTIN = {
    "ConfigError": ValueError,
    "ModelFileError": ValueError,
    "UnsupportedModelError": ValueError,
    "UnsafeModelError": ValueError,
    "WeightError": ValueError,
    "InputError": ValueError,
    "InputTypeError": TypeError,
    "ResourceLimitError": MemoryError,
    "KernelError": RuntimeError,
    "DependencyError": ImportError,
}


def test_all_pieces_in_one_order():
    error = NpbertError(
        "token_ids has an id outside the vocabulary.",
        where="token_ids[3, 17]",
        received=30522,
        expected="0 <= id < 30522",
        fix="use the tokenizer that belongs to this model",
    )
    assert str(error) == (
        "token_ids has an id outside the vocabulary.\n"
        "  where:    token_ids[3, 17]\n"
        "  received: 30522\n"
        "  expected: 0 <= id < 30522\n"
        "  fix:      use the tokenizer that belongs to this model"
    )


def test_absent_pieces_leave_no_line_and_falsy_ones_do():
    assert str(NpbertError("no.", received=0, expected="")) == "no.\n  received: 0\n  expected: "
    assert str(NpbertError("no.")) == "no."


def test_every_class_is_listed_here():
    assert sorted(BUILTIN) == sorted(cls.__name__ for cls in CLASSES)


@pytest.mark.parametrize("cls", CLASSES)
def test_also_the_builtin_that_callers_already_catch(cls: type[NpbertError]):
    with pytest.raises(BUILTIN[cls.__name__]) as caught:
        raise cls("no.")
    assert isinstance(caught.value, NpbertError)


@pytest.mark.parametrize("cls", CLASSES)
def test_pickles_with_its_pieces(cls: type[NpbertError]):
    error = cls("no.", where="here", received=(3, 4), expected="(4, 3)", fix="transpose")
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error)
    assert (copy.what, copy.where, copy.received) == ("no.", "here", (3, 4))
    assert (copy.expected, copy.fix) == ("(4, 3)", "transpose")
