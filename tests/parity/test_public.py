"""The names of `npbert.parity`: functions, whatever was imported before them."""

from __future__ import annotations

import subprocess
import sys
from types import FunctionType

import pytest

import npbert
from npbert import parity


@pytest.mark.parametrize("name", parity.__all__)
def test_names_are_functions(name):
    assert isinstance(getattr(npbert.parity, name), FunctionType)
    assert getattr(parity, name).__name__ == name
    assert name in dir(parity)


@pytest.mark.parametrize("first", ["compare", "record", "invariance", "testing"])
def test_a_submodule_of_that_name_does_not_hide_one(first):
    code = (
        f"import npbert.parity.{first}, npbert\n"
        "print(*(type(getattr(npbert.parity, n)).__name__ for n in npbert.parity.__all__))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout.split() == ["function"] * len(parity.__all__), done.stderr


def test_what_there_is_not():
    with pytest.raises(AttributeError, match=r"'npbert.parity' has no attribute 'diagnoses'"):
        parity.diagnoses  # noqa: B018
    assert parity.compare.__module__ == "npbert.parity.compare"


def test_an_import_is_light():
    code = "import npbert.parity, sys; print('numba' in sys.modules or 'scipy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
