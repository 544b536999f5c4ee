"""A plan cut into parts and shared between threads: the same rows, whatever the cut."""

from __future__ import annotations

import time

import goldens
import numpy as np
import pytest
from engine.sharing import CASE, DEALT, SHARED, call_at_once, idle, plan
from hypothesis import given
from hypothesis import strategies as st

from npbert.engine import run
from npbert.simd import kernel

pytestmark = [pytest.mark.kernel, pytest.mark.usefixtures("cpus")]


@given(st.integers(1, 40), st.integers(1, 4))
def test_the_cut_does_not_matter(packed, expected, part_rows, threads):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run, "PART_ROWS", part_rows)
        rows = run.run(packed, plan(), run.Workspaces(), threads)
    np.testing.assert_array_equal(goldens.bits(rows), goldens.bits(expected))


def test_rows_are_padded_with_zeros(expected):
    assert expected.shape == (plan().rows, 32)
    assert not expected[:, 22:].any()


def test_workspaces_are_lent_and_used_again(packed, monkeypatch):
    monkeypatch.setattr(run, "PART_ROWS", 1)
    workspaces = run.Workspaces()
    for _ in range(5):
        run.run(packed, plan(), workspaces, 3)
    assert 1 <= len(workspaces._free) <= 3
    taken = workspaces.take()
    assert taken not in workspaces._free
    workspaces.give(taken)
    assert workspaces.take() is taken


def test_an_error_in_a_part_reaches_the_caller(packed, monkeypatch, expected):
    def fail(self, *arguments):
        raise RuntimeError("a broken part")

    for deal in (DEALT, SHARED):
        with monkeypatch.context() as patch:
            patch.setattr(run, "DEAL", deal)
            for name in ("layers", "embed"):
                with monkeypatch.context() as broken:
                    broken.setattr(run.Forward, name, fail)
                    with pytest.raises(RuntimeError, match="a broken part"):
                        run.run(packed, plan(), run.Workspaces(), 2)
            again = run.run(packed, plan(), run.Workspaces(), 2)
        np.testing.assert_array_equal(goldens.bits(again), goldens.bits(expected))


@pytest.mark.parametrize("failing", [0, 1, 2])
def test_an_error_on_one_thread_frees_those_that_wait_for_it_in_a_layer(
    packed, monkeypatch, expected, failing
):
    layers = run.Forward.layers

    def fail(self, part, *arguments):
        if part == failing:
            raise RuntimeError(f"number {part} is broken")
        layers(self, part, *arguments)

    monkeypatch.setattr(run, "DEAL", SHARED)
    idle()
    with monkeypatch.context() as patch:
        patch.setattr(run.Forward, "layers", fail)
        began = time.monotonic()
        with pytest.raises(RuntimeError, match=f"number {failing} is broken"):
            run.run(packed, plan(), run.Workspaces(), 3)
        assert time.monotonic() - began < 5
    again = run.run(packed, plan(), run.Workspaces(), 3)
    np.testing.assert_array_equal(goldens.bits(again), goldens.bits(expected))


def test_many_callers_of_one_model():
    model, batch = goldens.backbone(CASE, 2), goldens.inputs(CASE)
    expected = model(batch)

    def call(_):
        for _ in range(20):
            goldens.assert_same_bits(model(batch), expected)

    call_at_once(8, call, within=120)


def test_kernels_release_the_gil():
    assert kernel.OPTIONS["nogil"] is True
