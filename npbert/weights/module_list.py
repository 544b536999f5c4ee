"""``modules.json``: which modules a sentence-transformers model is made of, and where each lies.

Source: sentence_transformers/base/model.py, ``BaseModel._load_modules``.
"""

from __future__ import annotations

import contextlib
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple, cast

from npbert.errors import ModelFileError, NpbertError, UnsafeModelError
from npbert.weights.files import read_whole
from npbert.weights.settings import damaged
from npbert.weights.strict_json import parse_object

MODULES: Final = "modules.json"

_MAX_BYTES: Final = 1_000_000


class Module(NamedTuple):
    """One module.

    Args:
        kind: its class, with the package: ``"sentence_transformers.models.Pooling"``.
        folder: inside the model's directory: ``"1_Pooling"``; ``""`` is the directory itself.
    """

    kind: str
    folder: str


def read_module_list(path: Path) -> list[Module]:
    """The modules in the order in which a text passes them.

    Raises:
        ModelFileError: the file is missing, too large or damaged.
        UnsafeModelError: a module's folder is not inside the model's directory.
    """
    text = read_whole(path, _MAX_BYTES)
    # The strict reader takes objects; a second key would mean that the file is no list.
    wrapped = parse_object(b'{"modules":' + text + b"}", where=path, error=ModelFileError)
    entries: Any = wrapped["modules"]
    if len(wrapped) > 1 or not isinstance(entries, list):
        raise damaged(path, "a list of modules", entries)
    return [_module(entry, path) for entry in entries]


def module_files(path: Path) -> list[str]:
    """What the modules after the transformer read, by path in the model's directory.

    Raises:
        ModelFileError, UnsafeModelError: as for `read_module_list`.
    """
    files: list[str] = []
    for module in read_module_list(path)[1:]:
        if module.folder:
            files.append(f"{module.folder}/config.json")
            if module.kind.endswith(".Dense"):
                files.append(f"{module.folder}/model.safetensors")
    return files


def transformer_folder(directory: Path) -> Path:
    """Where config and weights of the model in ``directory`` are.

    That is the directory itself, but for what sentence-transformers wrote in its first years: they
    have a folder ``0_Transformer``. A modules.json that is damaged is for `read_module_list` to
    refuse.
    """
    with contextlib.suppress(NpbertError):
        modules = read_module_list(directory / MODULES)
        return directory / modules[0].folder if modules else directory
    return directory


def model_folder(transformer: Path) -> Path:
    """The directory whose `transformer_folder` this is: where modules.json is, or would be."""
    parent = transformer.parent
    if (transformer / MODULES).exists() or not (parent / MODULES).exists():
        return transformer
    return parent if transformer_folder(parent) == transformer else transformer


def _module(entry: Any, path: Path) -> Module:
    fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    kind, folder = fields.get("type"), fields.get("path")
    if not isinstance(kind, str) or not isinstance(folder, str):
        raise damaged(path, 'modules such as {"type": "...", "path": "..."}', entry)
    if folder and not _is_inside(path.parent, folder):
        raise UnsafeModelError(
            "a module's path leads out of the model's directory.",
            where=path,
            received=repr(folder),
            expected="a directory inside, such as '1_Pooling'",
            fix="do not use this model unless you trust its author; correct the path",
        )
    return Module(kind, folder)


def _is_inside(directory: Path, folder: str) -> bool:
    """Whether ``directory / folder`` is a folder below, on every system, and by no link."""
    parts = PurePosixPath(folder).parts
    if "\\" in folder or "\0" in folder or ".." in parts or not parts:
        return False
    if PurePosixPath(folder).is_absolute() or PureWindowsPath(folder).drive:
        return False
    return (directory / folder).resolve().is_relative_to(directory.resolve())
