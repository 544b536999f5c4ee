"""How a sentence-transformers directory turns token vectors into a text's vector.

``modules.json`` lists the modules that a text passes: Transformer, Pooling and any number of Dense
and Normalize. ``1_Pooling/config.json`` names the pooling, by ``pooling_mode`` or, in older files,
by one boolean per mode. ``config_sentence_transformers.json`` has prompts and the similarity.

Source: Reimers & Gurevych 2019, section 3; sentence_transformers/sentence_transformer/modules/
pooling.py, ``Pooling``; sentence_transformers/sentence_transformer/model.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from npbert.errors import ModelFileError, UnsupportedModelError
from npbert.text.dense import DenseModule, check_on_vector, read_dense
from npbert.text.prompts import NO_PROMPTS, Similarity, read_usage
from npbert.weights.module_list import MODULES, Module, model_folder, read_module_list
from npbert.weights.settings import MAX_BYTES, boolean, damaged, read_settings, whole
from npbert.weights.strict_json import read_object

SETTINGS: Final = "sentence_bert_config.json"
POOLINGS: Final = ("cls", "max", "mean", "mean_sqrt_len_tokens", "weightedmean", "lasttoken")

_BOOLEANS: Final = {  # of older files, in the order in which their vectors are concatenated
    "pooling_mode_cls_token": "cls",
    "pooling_mode_max_tokens": "max",
    "pooling_mode_mean_tokens": "mean",
    "pooling_mode_mean_sqrt_len_tokens": "mean_sqrt_len_tokens",
    "pooling_mode_weightedmean_tokens": "weightedmean",
    "pooling_mode_lasttoken": "lasttoken",
}
_PACKAGE: Final = "sentence_transformers."
_FIRST: Final = ["Transformer", "Pooling"]
_LATER: Final = ("Dense", "Dropout", "Normalize")  # Dropout does nothing but in training

Step = DenseModule | Literal["normalize"]


class Modules(NamedTuple):
    """The way from token vectors to a text's vector, and how vectors are meant to be used.

    Args:
        modes: of `POOLINGS`; the vectors of several are concatenated.
        include_prompt: whether the tokens of a prompt are pooled with the text's.
        steps: what follows pooling, in order.
        stated: False where the directory says nothing, and this is npbert's default.
        prompts, default_prompt_name, similarity_fn_name, truncate_dim: see `prompts.Usage`.
    """

    modes: tuple[str, ...]
    include_prompt: bool = True
    steps: tuple[Step, ...] = ()
    stated: bool = True
    prompts: Mapping[str, str] = NO_PROMPTS
    default_prompt_name: str | None = None
    similarity_fn_name: Similarity = "cosine"
    truncate_dim: int | None = None

    def dimension(self, hidden_dim: int) -> int:
        """The length of a text's vector."""
        outputs = [step.weight.shape[1] for step in self.steps if isinstance(step, DenseModule)]
        return outputs[-1] if outputs else hidden_dim * len(self.modes)


DEFAULT: Final = Modules(("mean",), stated=False)


def read_modules(directory: Path, hidden_dim: int) -> Modules:
    """What ``modules.json`` asks for, or `DEFAULT` where there is none.

    Args:
        directory: where the model's config and weights are: beside modules.json, or in a folder
            that it names.
        hidden_dim: the width of the token vectors, which the modules must fit.

    Raises:
        ModelFileError: a file is damaged, or a module is for vectors of another width.
        UnsupportedModelError: a pooling, module or activation that npbert does not have.
        UnsafeModelError: a module's path leads out of the directory, or its weights are a pickle.
        WeightError: a Dense module's weights are not those of its config.
    """
    home = model_folder(directory)
    path = home / MODULES
    if not path.exists():
        return DEFAULT
    modules = read_module_list(path)
    _check_sequence([_name(module) for module in modules], path)
    if home / modules[0].folder != directory:
        raise _elsewhere(path, modules[0].folder)
    pooling = _folder(home, modules[1], path) / "config.json"
    config = read_object(pooling, max_bytes=MAX_BYTES, error=ModelFileError)
    modes = _modes(config, pooling)
    steps = [(_step(home, module, path), module) for module in modules[2:]]
    _check_width(_dimension(config, pooling) or hidden_dim, hidden_dim, pooling)
    _check_chain(hidden_dim * len(modes), steps, home)
    return Modules(
        modes,
        boolean(config, "include_prompt", True, pooling),
        tuple(step for step, _ in steps if step is not None),
        True,
        *read_usage(home),
    )


def read_lowercase(directory: Path) -> bool:
    """Whether ``do_lower_case`` asks for folding case before the tokenizer's own rules.

    Args:
        directory: as for `read_modules`.
    """
    path = directory / SETTINGS
    settings = read_settings(path)
    asked = settings.get("do_lower_case") is not None
    return asked and boolean(settings, "do_lower_case", False, path)


def _name(module: Module) -> str:
    """The class's name; with its package where that is not sentence-transformers."""
    inside = module.kind.startswith(_PACKAGE)
    return module.kind.rpartition(".")[2] if inside else module.kind


def _check_sequence(names: list[str], path: Path) -> None:
    if names[:2] == _FIRST and all(name in _LATER for name in names[2:]):
        return
    foreign = [name for name in names if name not in (*_FIRST, *_LATER)]
    raise UnsupportedModelError(
        f"the model has modules that npbert does not run: {', '.join(foreign or names)}.",
        where=path,
        received=" -> ".join(names) or "no modules",
        expected=f"{' -> '.join(_FIRST)}, then any of {', '.join(_LATER)}",
        fix="use BertBackbone for its token vectors, or another model",
    )


def _elsewhere(path: Path, folder: str) -> UnsupportedModelError:
    return UnsupportedModelError(
        "the model's transformer is in a directory of its own.",
        where=path,
        received=folder,
        fix="download the model, and give the directory of modules.json",
    )


def _folder(directory: Path, module: Module, path: Path) -> Path:
    if not module.folder:
        raise damaged(path, f"a folder for {module.kind}, such as '1_Pooling'", module.folder)
    return directory / module.folder


def _step(directory: Path, module: Module, path: Path) -> Step | None:
    name = _name(module)
    if name == "Dense":
        return read_dense(_folder(directory, module, path))
    if name == "Normalize" and module.folder:
        config = directory / module.folder / "config.json"
        check_on_vector(read_settings(config), config)
    return "normalize" if name == "Normalize" else None


def _modes(config: dict[str, Any], path: Path) -> tuple[str, ...]:
    """The modes that are concatenated; none stated means the mean."""
    stated = config.get("pooling_mode")
    if stated is None:
        chosen = [m for key, m in _BOOLEANS.items() if boolean(config, key, False, path)]
        return tuple(chosen or ["mean"])
    modes: list[Any] = stated if isinstance(stated, list) else [stated]
    if not modes or not all(isinstance(mode, str) for mode in modes):
        raise damaged(path, "pooling_mode as a str, or a list of them", stated)
    for mode in modes:
        if mode not in POOLINGS:
            raise UnsupportedModelError(
                f"npbert has no pooling {mode!r:.80}.",
                where=path,
                expected=", ".join(POOLINGS),
                fix="pool the rows of BertBackbone yourself, or use another model",
            )
    return tuple(modes)


def _dimension(config: dict[str, Any], path: Path) -> int | None:
    key = "embedding_dimension"
    return whole(config, key if key in config else "word_embedding_dimension", path)


def _check_chain(width: int, steps: list[tuple[Step | None, Module]], directory: Path) -> None:
    """Each Dense takes what the one before it gives; ``width`` comes out of pooling."""
    for step, module in steps:
        if isinstance(step, DenseModule):
            takes, gives = step.weight.shape
            _check_width(takes, width, directory / module.folder)
            width = gives


def _check_width(takes: int, given: int, where: Path) -> None:
    if takes != given:
        raise ModelFileError(
            "the module was made for vectors of another width.",
            where=where,
            received=takes,
            expected=f"{given}, the width of what it is given",
            fix="check that the files belong to one model",
        )
