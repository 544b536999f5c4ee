"""The index of several files: what it may name, and that the files hold what it says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from npbert.errors import ModelFileError, UnsafeModelError, WeightError
from npbert.weights.shards import read_index

A, B = "model_00000.weights.h5", "model_00001.weights.h5"


def _write(folder: Path, weight_map: object, *files: str) -> Path:
    for name in files:
        (folder / name).write_bytes(b"content")
    path = folder / "model.weights.json"
    path.write_text(json.dumps({"metadata": {"total_size": 1624.0}, "weight_map": weight_map}))
    return path


def test_strings_and_lists(tmp_path: Path):
    path = _write(tmp_path, {"/a/vars": A, "/b/vars": [A, B], "/c/vars": [B]}, A, B)
    index = read_index(path, lists=True)
    assert index.path == path
    assert index.places == {"/a/vars": (A,), "/b/vars": (A, B), "/c/vars": (B,)}
    assert index.shards == {A: tmp_path / A, B: tmp_path / B}


@pytest.mark.parametrize("value", [[], [A, A], [A, 5], 5, None, {"a": A}, ["a", ["b"]]])
def test_what_is_no_file_or_list_of_files(tmp_path: Path, value: object):
    path = _write(tmp_path, {"/a/vars": value}, A)
    message = r"does not say in which file this is(.|\n)*model.weights.json: /a/vars\n"
    with pytest.raises(ModelFileError, match=message):
        read_index(path, lists=True)


def test_a_list_where_a_tensor_is_in_one_file(tmp_path: Path):
    path = _write(tmp_path, {"a": [A, B]}, A, B)
    with pytest.raises(ModelFileError, match=r"expected: the name of a file\n"):
        read_index(path, lists=False)


@pytest.mark.parametrize("weight_map", [None, {}, [A], "a"])
def test_no_weight_map(tmp_path: Path, weight_map: object):
    with pytest.raises(ModelFileError, match="the index has no 'weight_map'"):
        read_index(_write(tmp_path, weight_map), lists=True)


def test_an_index_that_says_two_things(tmp_path: Path):
    path = tmp_path / "model.weights.json"
    path.write_text('{"weight_map": {"a": "x.h5", "a": "y.h5"}}')
    with pytest.raises(ModelFileError, match="duplicate key 'a'"):
        read_index(path, lists=True)


def test_an_index_that_is_too_large(tmp_path: Path):
    path = _write(tmp_path, {"a": "x" * 4_000_000})
    with pytest.raises(ModelFileError, match="larger than 4,000,000 bytes"):
        read_index(path, lists=True)


def test_more_files_than_any_model_has(tmp_path: Path):
    path = _write(tmp_path, {f"/{i}/vars": f"{i}.h5" for i in range(513)})
    with pytest.raises(ModelFileError, match=r"names more than 512 files(.|\n)*received: 513"):
        read_index(path, lists=True)


@pytest.mark.parametrize(
    "name",
    [
        *("../other.h5", "..", ".", "", "/etc/passwd", "sub/model.h5", "a/../../b.h5"),
        *("C:\\model.h5", "C:model.h5", "..\\other.h5", "\\\\host\\share\\a.h5"),
        *("a\0.h5", "a\n.h5", "\ud800.h5", "a" * 256),
    ],
)
def test_a_name_that_leaves_the_directory(tmp_path: Path, name: str):
    folder = tmp_path / "model"
    (folder / "sub").mkdir(parents=True)
    for file in (tmp_path / "other.h5", tmp_path / "b.h5", folder / "sub" / "model.h5"):
        file.write_bytes(b"content")
    with pytest.raises(UnsafeModelError) as error:
        read_index(_write(folder, {"/a/vars": name}), lists=True)
    assert error.value.what == f"shard path {name[:80]!r} escapes the model directory."
    assert error.value.where == folder / "model.weights.json"


def test_a_missing_shard(tmp_path: Path):
    with pytest.raises(WeightError, match=f"the shard '{B}' is missing"):
        read_index(_write(tmp_path, {"/a/vars": [A, B]}, A), lists=True)


# -- links -----------------------------------------------------------------------------------------


def test_a_link_out_of_the_directory(tmp_path: Path):
    folder = tmp_path / "model"
    folder.mkdir()
    (tmp_path / "secret").write_bytes(b"content")
    (folder / A).symlink_to("../secret")
    with pytest.raises(UnsafeModelError, match=f"shard path '{A}' escapes the model directory"):
        read_index(_write(folder, {"/a/vars": A}), lists=True)


def test_a_link_to_nothing_and_a_cycle_of_links(tmp_path: Path):
    (tmp_path / A).symlink_to("nothing")
    with pytest.raises(WeightError, match=f"the shard '{A}' is missing"):
        read_index(_write(tmp_path, {"/a/vars": A}), lists=True)
    (tmp_path / B).symlink_to(B)
    with pytest.raises((UnsafeModelError, WeightError)):
        read_index(_write(tmp_path, {"/a/vars": B}), lists=True)


def test_a_link_within_the_directory_and_a_directory_that_is_a_link(tmp_path: Path):
    folder = tmp_path / "model"
    folder.mkdir()
    _write(folder, {"/a/vars": A}, "kept.h5")
    (folder / A).symlink_to("kept.h5")
    (tmp_path / "latest").symlink_to("model", target_is_directory=True)
    index = read_index(tmp_path / "latest" / "model.weights.json", lists=True)
    assert index.shards[A].read_bytes() == b"content"


@pytest.fixture
def snapshot(tmp_path: Path) -> Path:
    """A snapshot in the layout of huggingface_hub's cache, its index a link as everything is."""
    cache = tmp_path / "hub" / "models--someone--bert"
    folder = cache / "snapshots" / "0123abcd"
    (cache / "blobs").mkdir(parents=True)
    folder.mkdir(parents=True)
    _write(cache / "blobs", {"/a/vars": A}).rename(cache / "blobs" / "4567")
    (folder / "model.weights.json").symlink_to("../../blobs/4567")
    return folder


def test_the_links_of_a_hub_cache(snapshot: Path):
    (snapshot.parents[1] / "blobs" / "89ef").write_bytes(b"content")
    (snapshot / A).symlink_to("../../blobs/89ef")
    index = read_index(snapshot / "model.weights.json", lists=True)
    assert index.shards == {A: snapshot / A}


@pytest.mark.parametrize(
    "target", ["../../refs/main", "../../../models--other/blobs/1", "../../../../secret"]
)
def test_a_link_of_a_hub_cache_to_elsewhere(snapshot: Path, target: str):
    file = snapshot / target
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(b"content")
    (snapshot / A).symlink_to(target)
    with pytest.raises(UnsafeModelError, match="escapes the model directory"):
        read_index(snapshot / "model.weights.json", lists=True)


def test_a_directory_that_is_only_named_like_a_cache(tmp_path: Path):
    folder = tmp_path / "models--mine" / "elsewhere"
    (tmp_path / "models--mine" / "blobs").mkdir(parents=True)
    folder.mkdir()
    (tmp_path / "models--mine" / "blobs" / "1").write_bytes(b"content")
    (folder / A).symlink_to("../blobs/1")
    with pytest.raises(UnsafeModelError, match="escapes the model directory"):
        read_index(_write(folder, {"/a/vars": A}), lists=True)


# -- what the files hold ---------------------------------------------------------------------------


def _index(folder: Path) -> Any:
    return read_index(_write(folder, {"/a": A, "/b": [A, B]}, A, B), lists=True)


def test_files_that_hold_what_the_index_says(tmp_path: Path):
    _index(tmp_path).check({A: {"/a", "/b"}, B: {"/b"}})


@pytest.mark.parametrize(
    ("held", "what", "received"),
    [
        ({A: {"/b"}, B: {"/b"}}, "'/a' is not where the index says.", A),
        ({A: {"/a", "/b"}, B: set()}, "'/b' is not where the index says.", B),
        ({A: {"/a", "/b"}, B: {"/a", "/b"}}, "'/a' is where the index does not say.", B),
        ({A: {"/a", "/b"}, B: {"/b", "/c"}}, "'/c' is where the index does not say.", B),
    ],
)
def test_files_that_hold_something_else(
    tmp_path: Path, held: dict[str, set[str]], what: str, received: str
):
    with pytest.raises(WeightError) as error:
        _index(tmp_path).check(held)
    assert error.value.what == what
    assert error.value.where == tmp_path / "model.weights.json"
    assert error.value.received == received
    assert error.value.expected == (A if "'/a' is where" in what else None)
