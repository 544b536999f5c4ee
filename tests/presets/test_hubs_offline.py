"""Models on a hub without a connection."""

from __future__ import annotations

import re
import shutil
import warnings

import pytest

from npbert.presets import hubs
from npbert.presets.hub_errors import UnreachableError
from npbert.presets.hubs import ALONGSIDE, fetch

from .fake_hub import HANDLE, FakeHub, shard


def test_nothing_on_disk_and_no_answer(hub: type[FakeHub]):
    hub.reachable = False
    with pytest.raises(UnreachableError):
        fetch(HANDLE)
    assert hub.log == ["config.json"]


def test_small_files_that_nobody_has_asked_for(hub: type[FakeHub]):
    """As in a cache that another program filled."""
    shutil.copytree(hub.has, hub.cache)
    hub.reachable = False
    message = (
        f"without a connection, it is not known whether {HANDLE} has tokenizer.json,"
        " assets/tokenizer/vocabulary.txt, preprocessor.json, task.json, task.weights.h5: going on"
        " as if it had not"
    )
    with pytest.warns(UserWarning, match=re.escape(message)):
        assert fetch(HANDLE) == hub.cache
    assert hub.log == ["tokenizer.json"]  # one question is enough


def test_a_small_file_that_was_begun_is_not_taken_for_whole(hub: type[FakeHub]):
    shutil.copytree(hub.has, hub.cache)
    (hub.cache / "tokenizer.json").touch()
    hub.reachable = False
    with pytest.raises(UnreachableError):
        fetch(HANDLE)


def test_small_files_but_no_weights(hub: type[FakeHub]):
    fetch(HANDLE, load_weights=False)
    hub.absent.clear()
    hub.reachable = False
    with pytest.raises(UnreachableError):
        fetch(HANDLE)


def test_shards_that_another_program_fetched(hub: type[FakeHub]):
    shard(hub.has, {"/a": "m_0.weights.h5"})
    (hub.has / "m_0.weights.h5").write_bytes(b"x")
    shutil.copytree(hub.has, hub.cache)
    hub.absent |= set(ALONGSIDE["keras"]) - {"metadata.json"}
    hub.reachable = False
    assert fetch(HANDLE) == hub.cache
    assert hub.log == []
    assert fetch(HANDLE, refresh=True) == hub.cache


def test_refresh_without_a_connection_finds_what_is_there(hub: type[FakeHub]):
    fetch(HANDLE)
    hub.reachable = False
    with warnings.catch_warnings(action="error"):
        assert hubs.download(HANDLE) == hub.cache
    (hub.cache / "model.weights.h5").unlink()
    with pytest.raises(UnreachableError):
        hubs.download(HANDLE)
