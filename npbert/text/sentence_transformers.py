"""How a sentence-transformers directory turns token vectors into one: pooling and normalisation.

``modules.json`` lists the modules that a text passes: Transformer, Pooling and perhaps Normalize.
``1_Pooling/config.json`` names the pooling, by ``pooling_mode`` or, in older files, by one boolean
per mode. Source: Reimers & Gurevych 2019, section 3, and the files that the library writes.
"""

from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any, Final, NamedTuple, cast

from npbert.errors import ModelFileError, UnsafeModelError, UnsupportedModelError
from npbert.weights.files import open_regular
from npbert.weights.strict_json import parse_object, read_object

MODULES: Final = "modules.json"
SETTINGS: Final = "sentence_bert_config.json"
POOLINGS: Final = ("mean", "cls", "max")

_MAX_BYTES: Final = 1_000_000
_SEQUENCES: Final = (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"])
_BOOLEANS: Final = {
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}


class Pooling(NamedTuple):
    """The way from token vectors to a text's vector.

    Args:
        mode: ``"mean"``, ``"cls"`` (the first token) or ``"max"``.
        normalize: whether the vector is divided by its length.
        dimension: the width that the pooling was made for, where it is stated.
        stated: False when the directory has no ``modules.json`` and the rest is npbert's default.
    """

    mode: str
    normalize: bool
    dimension: int | None = None
    stated: bool = True


DEFAULT: Final = Pooling("mean", normalize=False, stated=False)


def read_pooling(directory: Path) -> Pooling:
    """What the directory's ``modules.json`` asks for, or `DEFAULT` where there is none.

    Raises:
        ModelFileError: a file is damaged.
        UnsupportedModelError: another pooling, or a module npbert does not have (Dense, ...).
        UnsafeModelError: a module's path leads out of the directory.
    """
    path = directory / MODULES
    if not path.exists():
        return DEFAULT
    modules = _read_modules(path)
    names = [name for name, _ in modules]
    if names not in _SEQUENCES:
        foreign = [name for name in names if name not in _SEQUENCES[1]]
        raise UnsupportedModelError(
            f"the model has modules that npbert does not run: {', '.join(foreign or names)}.",
            where=path,
            received=" -> ".join(names) or "no modules",
            expected=" or ".join(" -> ".join(sequence) for sequence in _SEQUENCES),
            fix="use BertBackbone for its token vectors, or another model",
        )
    if modules[0][1]:
        raise UnsupportedModelError(
            "the model's transformer is in a directory of its own.",
            where=path,
            received=modules[0][1],
            fix="move its files beside modules.json, and set its path to ''",
        )
    mode, dimension = _read_mode(_inside(directory, modules[1][1], path) / "config.json")
    return Pooling(mode, "Normalize" in names, dimension)


def read_lowercase(directory: Path) -> bool:
    """Whether ``do_lower_case`` asks for folding case before the tokenizer's own rules."""
    path = directory / SETTINGS
    if not path.exists():
        return False
    value = read_object(path, max_bytes=_MAX_BYTES, error=ModelFileError).get("do_lower_case")
    return _boolean(value or False, "do_lower_case", path)


def _read_modules(path: Path) -> list[tuple[str, str]]:
    """(class name, path) of each module."""
    with open_regular(path) as file:
        text = file.read(_MAX_BYTES)
    # The strict reader takes objects; a second key would mean that the file is no list.
    wrapped = parse_object(b'{"modules":' + text + b"}", where=path, error=ModelFileError)
    entries: Any = wrapped["modules"]
    if len(wrapped) > 1 or not isinstance(entries, list):
        raise _damaged(path, "a list of modules", type(entries).__name__)
    return [_module(entry, path) for entry in entries]


def _module(entry: Any, path: Path) -> tuple[str, str]:
    fields = cast("dict[str, Any]", entry) if isinstance(entry, dict) else {}
    kind, folder = fields.get("type"), fields.get("path")
    if not isinstance(kind, str) or not isinstance(folder, str):
        raise _damaged(path, 'modules such as {"type": "...", "path": "..."}', f"{entry!r:.80}")
    return kind.rsplit(".", 1)[-1], folder


def _inside(directory: Path, folder: str, where: Path) -> Path:
    """``directory / folder``, or an error where that is elsewhere."""
    parts = PurePosixPath(folder).parts
    plain = folder and "\\" not in folder and "\0" not in folder and ".." not in parts
    if plain and not PurePosixPath(folder).is_absolute() and not PureWindowsPath(folder).drive:
        path = directory / folder
        if path.resolve().is_relative_to(directory.resolve()):
            return path
    raise UnsafeModelError(
        "a module's path leads out of the model's directory.",
        where=where,
        received=repr(folder),
        expected="a directory inside, such as '1_Pooling'",
        fix="do not use this model unless you trust its author; correct the path",
    )


def _read_mode(path: Path) -> tuple[str, int | None]:
    config = read_object(path, max_bytes=_MAX_BYTES, error=ModelFileError)
    modes = _modes(config, path)
    if len(modes) != 1 or modes[0] not in POOLINGS:
        raise UnsupportedModelError(
            f"npbert has no pooling {'+'.join(modes)!r}.",
            where=path,
            expected=" or ".join(map(repr, POOLINGS)),
            fix="pool the rows of BertBackbone yourself, or use another model",
        )
    dimension = config.get("embedding_dimension", config.get("word_embedding_dimension"))
    if dimension is not None and (not isinstance(dimension, int) or isinstance(dimension, bool)):
        raise _damaged(path, "an int as embedding_dimension", repr(dimension))
    return modes[0], dimension


def _modes(config: dict[str, Any], path: Path) -> list[str]:
    """The modes that are concatenated; none stated means the mean."""
    stated = config.get("pooling_mode")
    if stated is None:
        chosen = [m for key, m in _BOOLEANS.items() if _boolean(config.get(key, False), key, path)]
        return chosen or ["mean"]
    modes: list[Any] = stated if isinstance(stated, list) else [stated]
    if not modes or not all(isinstance(mode, str) for mode in modes):
        raise _damaged(path, "pooling_mode as a str", f"{stated!r:.80}")
    return modes


def _boolean(value: object, key: str, path: Path) -> bool:
    if isinstance(value, bool):
        return value
    raise _damaged(path, f"true or false as {key}", repr(value))


def _damaged(path: Path, expected: str, received: str) -> ModelFileError:
    return ModelFileError(
        "the file does not have the form that sentence-transformers writes.",
        where=path,
        received=received,
        expected=expected,
        fix="download the file again",
    )
