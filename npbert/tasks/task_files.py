"""A task around a backbone in Keras Hub's files: ``task.json``, ``task.weights.h5``, an archive.

Read as data: nothing that they name is imported.

Source: keras_hub/src/utils/preset_utils.py, ``KerasPresetLoader.load_task`` and
``KerasPresetSaver.save_task``; keras_hub/src/models/task.py, ``Task.get_config``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from npbert.caller import warn_caller
from npbert.config import BertConfig
from npbert.errors import ConfigError, ModelFileError, UnsupportedModelError
from npbert.presets.keras_config import keras_fields
from npbert.presets.save import Asset
from npbert.text.keras_files import config_of, is_class, json_bytes, serialized
from npbert.weights import heads, untrusted
from npbert.weights.keras_archive import open_archive
from npbert.weights.names import Array, Tensor
from npbert.weights.save_h5 import write_head
from npbert.weights.strict_json import read_object

TASK: Final = "task.json"
WEIGHTS: Final = "task.weights.h5"

_MAX_BYTES: Final = 1_000_000


def read_task(path: Path, classes: Sequence[str], config: BertConfig) -> dict[str, Any] | None:
    """What a task's constructor is called with, or None where there is no task of these classes.

    Args:
        path: a preset directory or a ``.keras`` archive, whose backbone was read.
        classes: the task's names, in Keras Hub and in the releases before it.
        config: the backbone's.

    Raises:
        ModelFileError, UnsafeModelError: the file is damaged, or has no config.
        ConfigError: the task is around another backbone than the directory's.
    """
    where = path / TASK if path.is_dir() else path
    if not where.exists():
        return None
    if path.is_dir():
        saved = read_object(where, max_bytes=_MAX_BYTES, error=ModelFileError)
    else:
        with open_archive(path) as archive:
            saved = archive.config()
    if not is_class(saved, classes):
        return None
    settings = config_of(saved, where)
    _check_backbone(settings.get("backbone"), config, where)
    return settings


def read_head(
    path: Path,
    wanted: Sequence[Tensor],
    config: BertConfig,
    *,
    trust: bool,
    dtype: str = "float32",
) -> dict[str, Array]:
    """The weights of the head that `read_task` found.

    Args:
        path, config: as there.
        wanted: the head's tensors.
        trust: as in `npbert.presets.load_preset`.
        dtype: of the arrays.

    Raises:
        ModelFileError: there are none; or as `npbert.weights.heads.load_keras`, and its others.
    """
    file = path / WEIGHTS if path.is_dir() else path
    if not file.exists():
        raise ModelFileError(
            "the preset describes a head, and has no weights for it.",
            where=path,
            expected=WEIGHTS,
            fix="get the missing file, or pass load_weights=False",
        )
    # Whatever is not True itself, such as "no", is taken for distrust.
    read = heads.load_keras if trust is True else untrusted.read_head
    return read(file, wanted, config, dtype)


def activation_name(value: object, valid: Sequence[str], where: object) -> str:
    """The name of an activation as Keras saves it: a name, or a function's object.

    Raises:
        UnsupportedModelError: it is none of ``valid``.
    """
    name = "linear" if value is None else value
    if isinstance(value, dict):
        name = cast("dict[str, object]", value).get("config")
    if isinstance(name, str) and name in valid:
        return name
    raise UnsupportedModelError(
        "the head's activation is not one that npbert computes.",
        where=where,
        received=f"{value!r:.80}",
        expected=", ".join(valid),
        fix="pass activation='linear' for the logits, and apply your own to them",
    )


def _check_backbone(saved: object, config: BertConfig, where: Path) -> None:
    """Two files describe the backbone, and Keras Hub builds the one in task.json."""
    if not isinstance(saved, dict):
        return
    fields, _ = keras_fields(cast("dict[str, Any]", saved), where)
    ours = config.to_dict()
    for name, value in fields.items():
        if ours.get(name) != value:
            raise ConfigError(
                f"the task is around a backbone of another {name}.",
                where=where,
                received=f"{value!r:.80}",
                expected=f"{ours.get(name)!r}, from config.json",
                fix="get all files of the preset again, from one source",
            )


def task_files(
    module: str,
    class_name: str,
    config: Mapping[str, Any],
    head: Mapping[str, Array],
    table: Sequence[Tensor],
    groups: Mapping[str, str],
    *,
    dtype: str,
) -> dict[str, Asset]:
    """What goes beside a backbone's files; see `npbert.presets.save.save_preset`.

    Args:
        module, class_name: Keras Hub's.
        config: of the task, its backbone's and its preprocessor's in it.
        head, table: the head's tensors, and what they are called; without any, no file of them.
        groups: the layers without weights; see `write_head`.
        dtype: of the numbers in the file.
    """
    files: dict[str, Asset] = {TASK: json_bytes(serialized(module, class_name, config))}
    if head:
        files[WEIGHTS] = partial(write_head, weights=head, table=table, groups=groups, dtype=dtype)
    return files


def check_head_lossy(ours: Mapping[str, Any], where: Path, allow_lossy: bool) -> None:
    """Refuse, or warn of, what Keras's format cannot say of a head.

    Args:
        ours: what that is, by name.
        where: where the task is to be saved.
        allow_lossy: warn of it only.

    Raises:
        ConfigError: there is such a thing.
    """
    said = ", ".join(f"{name} {value!r}" for name, value in ours.items())
    if ours and not allow_lossy:
        raise ConfigError(
            f"Keras's format cannot hold a head with {said}.",
            where=where,
            fix="pass allow_lossy=True: what loads the files then computes other numbers",
        )
    if ours:
        warn_caller(
            f"{where} does not say {said}: what loads it computes other numbers than this model"
        )
