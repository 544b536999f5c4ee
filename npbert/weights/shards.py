"""Weights in several files: the index that says which tensor is where, held to what it says.

Source: keras/src/saving/saving_lib.py, ``ShardedH5IOStore`` (``model.weights.json``), and
huggingface_hub/serialization/_base.py, ``split_state_dict_into_shards_factory``
(``model.safetensors.index.json``). Both are ``{"metadata": ..., "weight_map": {name: file}}``;
in Keras a name is a layer's group, and a layer whose variables are in two files has a list.

The names of the files come from the index, so each must stay inside the model's directory.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeGuard, cast

from npbert.errors import ModelFileError, UnsafeModelError, WeightError
from npbert.weights.strict_json import read_object

MAX_INDEX_BYTES: Final = 4_000_000
MAX_SHARDS: Final = 512
MAX_NAME_LENGTH: Final = 255

_AGAIN: Final = "get the index and all its shards again, from one source"


class Index(NamedTuple):
    """What an index says.

    Args:
        path: the index itself.
        places: a name in the index -> the names of the files that hold it.
        shards: the name of a file -> where it is.
    """

    path: Path
    places: dict[str, tuple[str, ...]]
    shards: dict[str, Path]

    def check(self, held: Mapping[str, Collection[str]]) -> None:
        """Every shard holds exactly the names that the index gives it.

        Args:
            held: the name of a file -> the index's names of what is in it.

        Raises:
            WeightError: a name is not where the index says, or is where the index does not say.
        """
        for name, shards in self.places.items():
            for shard in shards:
                if name not in held[shard]:
                    raise self._disagree(f"{name!r:.80} is not where the index says", shard)
        for shard, names in held.items():
            for name in names:
                if shard not in self.places.get(name, ()):
                    what = f"{name!r:.80} is where the index does not say"
                    raise self._disagree(what, shard, self.places.get(name))

    def _disagree(
        self, what: str, shard: str, expected: tuple[str, ...] | None = None
    ) -> WeightError:
        return WeightError(
            f"{what}.",
            where=self.path,
            received=shard,
            expected=", ".join(expected) if expected else None,
            fix=_AGAIN,
        )


def read_index(path: Path, *, lists: bool) -> Index:
    """The index ``path``, and where its shards are; none of them is opened.

    Args:
        path: the index.
        lists: whether one name may be in several files, as in Keras.

    Raises:
        ModelFileError: the index is missing, damaged or not an index.
        UnsafeModelError: a shard is not a file of the model's directory.
        WeightError: a shard is missing.
    """
    raw = read_object(path, max_bytes=MAX_INDEX_BYTES, error=ModelFileError).get("weight_map")
    if not (isinstance(raw, dict) and raw):
        raise _malformed(path, "the index has no 'weight_map'.", raw)
    places = {
        name: _files(value, lists, f"{path}: {name}")
        for name, value in cast("dict[str, Any]", raw).items()
    }
    names = sorted({file for files in places.values() for file in files})
    if len(names) > MAX_SHARDS:
        raise _malformed(path, f"the index names more than {MAX_SHARDS} files.", len(names))
    return Index(path, places, {name: _shard(path, name) for name in names})


def _files(value: object, lists: bool, where: str) -> tuple[str, ...]:
    files = [value] if isinstance(value, str) else value if lists else None
    if _are_names(files) and len(set(files)) == len(files):
        return tuple(files)
    expected = "the name of a file, or a list of different ones" if lists else "the name of a file"
    raise ModelFileError(
        "the index does not say in which file this is.",
        where=where,
        received=f"{value!r:.80}",
        expected=expected,
        fix=_AGAIN,
    )


def _are_names(value: object) -> TypeGuard[list[str]]:
    if not (isinstance(value, list) and value):
        return False
    return all(isinstance(name, str) for name in cast("list[object]", value))


def _shard(index: Path, name: str) -> Path:
    path = index.parent / name
    if not _is_plain(name) or not stays_inside(index.parent, path):
        raise UnsafeModelError(
            f"shard path {name[:80]!r} escapes the model directory.",
            where=index,
            expected="the name of a file beside the index",
            fix="do not use this model; get it from another source",
        )
    if not os.path.exists(path):
        raise WeightError(
            f"the shard {name!r} is missing.",
            where=index,
            expected=path,
            fix="get the missing file",
        )
    return path


def _is_plain(name: str) -> bool:
    """Whether this is a file's own name, on every system, without a way to anywhere else."""
    plain = name.isprintable() and not any(mark in name for mark in "/\\:")
    return plain and name not in ("", ".", "..") and len(name) <= MAX_NAME_LENGTH


def stays_inside(directory: Path, path: Path) -> bool:
    """Whether the file, links followed, is in the directory or in the hub cache it is part of.

    huggingface_hub keeps ``models--ORG--NAME/snapshots/REVISION/FILE`` as a link to
    ``models--ORG--NAME/blobs/HASH``.
    """
    try:
        directory, path = directory.resolve(), path.resolve()
    except (OSError, RuntimeError):  # a cycle of links
        return False
    if path.is_relative_to(directory):
        return True
    caches = (
        above
        for above in directory.parents
        if above.name.startswith("models--") and directory.is_relative_to(above / "snapshots")
    )
    return any(path.is_relative_to(cache / "blobs") for cache in caches)


def _malformed(path: Path, what: str, received: object) -> ModelFileError:
    return ModelFileError(
        what,
        where=path,
        received=f"{received!r:.80}",
        expected='{"weight_map": {name: file}}',
        fix=_AGAIN,
    )
