"""A model on a hub: its config first, then the files that it needs, and nothing else.

Keras Hub fetches a file when it is asked for. Here config.json alone decides whether npbert can
run the model, before anything large is fetched; small files come next and weights last, so that
weights on disk mean that all else was asked for. No pickle is ever fetched.

What is on disk and whole is used as it is, without a question to the hub: a model that is cached
needs no network, and changes only when `fetch` is told to look for newer files.

Source: keras_hub/src/utils/preset_utils.py, ``get_file``, for the handles; the file names are those
that ``save_to_preset``, ``save_pretrained`` and sentence-transformers write.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final, Literal, Protocol, cast

from npbert.caller import warn_caller
from npbert.errors import ConfigError, ModelFileError, NpbertError, UnsafeModelError
from npbert.presets.directory import WEIGHTS, Kind, read_config
from npbert.presets.hub_errors import UnreachableError
from npbert.presets.hugging_face_hub import HuggingFaceHub, check_hashes
from npbert.presets.installed import find_installed, installed_folder, packaged
from npbert.presets.kaggle_hub import KaggleHub
from npbert.presets.registry import KERAS
from npbert.weights.module_list import MODULES, module_files
from npbert.weights.strict_json import read_object

CONFIG: Final = "config.json"
ALONGSIDE: Final[Mapping[Kind, tuple[str, ...]]] = {
    "keras": (
        *("metadata.json", "tokenizer.json", "assets/tokenizer/vocabulary.txt"),
        *("preprocessor.json", "task.json", "task.weights.h5"),
    ),
    "hugging_face": (
        *("tokenizer.json", "vocab.txt", "tokenizer_config.json", "special_tokens_map.json"),
        *("added_tokens.json", "sentence_bert_config.json", "config_sentence_transformers.json"),
        MODULES,
    ),
}
"""Small files that are fetched where the model has them, and those that modules.json names."""

_HANDLES: Final = (
    "a built-in name such as 'bert_base_en', 'kaggle://ORG/MODEL/keras/VARIANT', 'hf://ORG/MODEL'"
)
_SHARD: Final = re.compile(r"[A-Za-z0-9_][\w.-]*\.(?:h5|safetensors)", re.ASCII)
_MAX_INDEX_BYTES: Final = 4_000_000


Known = Path | Literal["absent", "unknown"]


class Hub(Protocol):
    """One model on a hub, behind the hub's own client."""

    def known(self, file: str) -> Known:
        """From disk alone: where the file is, whole; or that the model has none; or neither."""
        ...

    def fetch(self, file: str) -> Path | None:
        """The file, fetched if need be; None if the model has none.

        Raises:
            UnreachableError: the hub gives no answer.
            ModelFileError: it gives an answer that is no file.
        """
        ...

    def no_config(self) -> ModelFileError:
        """The error for a model that has no config.json."""
        ...


_SCHEMES: Final[dict[str, Callable[[str], Hub]]] = {"kaggle": KaggleHub, "hf": HuggingFaceHub}


def handle_of(source: str) -> str:
    """The handle that a name of Keras Hub's or a handle means, its scheme in lower case.

    Raises:
        ConfigError: neither; the message lists the schemes that there are.
    """
    if source in KERAS:
        return KERAS[source].handle
    scheme, separator, rest = source.partition("://")
    if not separator:
        near = get_close_matches(source, KERAS, n=1)
        raise ConfigError(
            f"{source!r} is neither the name of a preset nor a handle.",
            expected=_HANDLES,
            fix=f"did you mean {near[0]!r}?" if near else "see 'npbert presets' for the names",
        )
    if scheme.lower() in _SCHEMES:
        return f"{scheme.lower()}://{rest}"
    raise ConfigError(
        f"there are no presets under {scheme}://.",
        received=repr(source),
        expected=f"{_HANDLES}, or a path",
        fix="download the preset, and give the directory",
    )


def fetch(
    handle: str,
    *,
    load_weights: bool = True,
    overrides: Mapping[str, object] = MappingProxyType({}),
    refresh: bool = False,
) -> Path:
    """The directory that holds a model's files, whole, fetched if need be.

    Args:
        handle: what `handle_of` gives.
        load_weights: False leaves the weights where they are.
        overrides: as in `load_preset`; they decide whether a config is acceptable.
        refresh: ask the hub for newer files than those on disk.

    Raises:
        UnsupportedModelError: another architecture; nothing but its config was fetched.
        ConfigError: a handle that is not well formed, or a config that is not acceptable.
        ModelFileError: the hub has no such model, does not let it be read, does not answer or
            breaks off; the message says which. Files that arrived whole stay.
        DependencyError: the hub's client is not installed; the fix names the extra.
    """
    files = _Files(_open(handle), refresh)
    config = files.get(CONFIG)
    if config is None:
        raise files.hub.no_config()
    kind, _, _ = read_config(config.parent, overrides)
    files.get_alongside(kind, config.parent, handle)
    if load_weights:
        files.get_weights(kind, handle)
    return config.parent


def download(source: str) -> Path:
    """Fetch all of a model that has a name or a handle, the newest there is, and check its hashes.

    Returns:
        the directory it lies in, in the cache of the hub's client, or of an installed package.

    Raises:
        ConfigError: neither a name nor a handle.
        NpbertError: as for `fetch`; or a file in the cache is not what its hash says.
    """
    if packaged(source):
        return find_installed(source)
    directory = fetch(handle_of(source), refresh=True)
    check_hashes(directory)
    return directory


def on_disk(source: str) -> Path | None:
    """The directory of a model whose config and weights are on disk, whole; no hub is asked.

    Args:
        source: a name or a handle.
    """
    if model := packaged(source):
        return installed_folder(model)
    hub = _open(handle_of(source))
    config = hub.known(CONFIG)
    if not isinstance(config, Path):
        return None
    return config.parent if any(_weights_known(hub, kind) for kind in WEIGHTS) else None


def _open(handle: str) -> Hub:
    scheme, _, name = handle.partition("://")
    return _SCHEMES[scheme](name)


class _Files:
    """The files of one model, from disk where they are whole, else from the hub."""

    def __init__(self, hub: Hub, refresh: bool) -> None:
        self.hub, self._refresh = hub, refresh

    def get(self, file: str) -> Path | None:
        known = "unknown" if self._refresh else self.hub.known(file)
        if known == "unknown":
            return self.hub.fetch(file)
        return None if known == "absent" else known

    def get_alongside(self, kind: Kind, directory: Path, handle: str) -> None:
        """The small files. Without a connection, those on disk do if the weights are there."""
        try:
            for file in self._alongside(kind):
                self.get(file)
        except UnreachableError:
            unknown = [file for file in self._alongside(kind) if self.hub.known(file) == "unknown"]
            begun = any((directory / file).exists() for file in unknown)
            if begun or not _weights_known(self.hub, kind):
                raise
            if not unknown:
                return
            warn_caller(
                f"without a connection, it is not known whether {handle} has"
                f" {', '.join(unknown)}: going on as if it had not"
            )

    def _alongside(self, kind: Kind) -> Iterator[str]:
        """Their names; those inside a module's folder once modules.json is on disk."""
        yield from ALONGSIDE[kind]
        modules = self.hub.known(MODULES)
        if isinstance(modules, Path):
            with contextlib.suppress(NpbertError):  # who reads the file says what is wrong with it
                yield from module_files(modules)

    def get_weights(self, kind: Kind, handle: str) -> None:
        """The one file of weights, or the index and every shard."""
        known = _weights_known(self.hub, kind)
        if known and not self._refresh:
            return
        try:
            self._get_weights(*WEIGHTS[kind], handle)
        except UnreachableError:
            if not known:
                raise

    def _get_weights(self, single: str, several: str, handle: str) -> None:
        if self.get(single) is not None:
            return
        index = self.get(several)
        if index is None:
            raise _no_weights(handle, single, several)
        for shard in shard_names(index):
            if self.get(shard) is None:
                raise _no_weights(handle, shard, several)


def _weights_known(hub: Hub, kind: Kind) -> bool:
    single, several = WEIGHTS[kind]
    if isinstance(hub.known(single), Path):
        return True
    index = hub.known(several)
    if not isinstance(index, Path):
        return False
    return all(isinstance(hub.known(shard), Path) for shard in shard_names(index))


def shard_names(index: Path) -> list[str]:
    """The files that an index names, each beside it and of a format that npbert reads.

    Raises:
        ModelFileError: the index is damaged.
        UnsafeModelError: a name that is a path, or of another kind of file.
    """
    raw = read_object(index, max_bytes=_MAX_INDEX_BYTES, error=ModelFileError).get("weight_map")
    places = cast("dict[str, Any]", raw) if isinstance(raw, dict) else {}
    lists = [value if isinstance(value, list) else [value] for value in places.values()]
    names: list[Any] = [name for each in lists for name in each]
    for name in names:
        if not isinstance(name, str) or not _SHARD.fullmatch(name):
            raise UnsafeModelError(
                f"the index names {str(name)[:80]!r}, which is not a file of weights beside it.",
                where=index,
                expected="names such as 'model_00000.weights.h5'",
                fix="do not use this model; get it from another source",
            )
    return sorted(set(names))


def _no_weights(handle: str, file: str, index: str) -> ModelFileError:
    return ModelFileError(
        f"{handle!r} has no weights that npbert reads.",
        received=f"no {file}",
        expected=f"{file}, or {index} and its shards" if file != index else None,
        fix="take a model that has them; pickles (pytorch_model.bin) are not read, convert them",
    )
