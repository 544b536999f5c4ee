"""Any Python function that gives stages: the way in for a port in JAX, Rust or MLX.

``FUNCTION(token_ids, segment_ids, padding_mask)`` is given (B, T) int32 arrays and returns
{name: array}, under the names that `npbert.parity.sources.named` knows. It is the user's own code,
and runs as such.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from npbert.config import unknown_name
from npbert.errors import ConfigError, InputError, InputTypeError, NpbertError
from npbert.parity.sources.base import NAMES, Base
from npbert.parity.sources.named import Named, check_batch, sort_out
from npbert.parity.types import Inputs, Stages


class PythonSource(Base):
    """What a function returns.

    Args:
        function: see the module.
        name: as the user wrote it.
    """

    kind = "py"

    def __init__(self, function: Callable[..., Any], name: str = "py") -> None:
        environment = {"python": platform.python_version(), "numpy": np.__version__}
        module = sys.modules.get(getattr(function, "__module__", None) or "")
        version: object = getattr(module, "__version__", None)
        if module is not None and version is not None:
            environment[module.__name__] = str(version)
        super().__init__(name, environment=environment)
        self._function = function

    def run(self, inputs: Inputs) -> Stages:
        return self._run(inputs).stages

    def unnamed(self, inputs: Inputs) -> Stages:
        return self._run(inputs).others

    def _run(self, inputs: Inputs) -> Named:
        arrays = [np.array(inputs[name], np.int32) for name in NAMES]
        try:
            found = self._function(*arrays)
        except NpbertError:
            raise
        except Exception as error:
            raise InputError(
                "the function failed.",
                where=self.name,
                received=f"{type(error).__name__}: {error}",
                expected=f"{', '.join(NAMES)} -> {{stage: array}}",
            ) from error
        if not isinstance(found, Mapping) or not all(isinstance(name, str) for name in found):
            raise InputTypeError(
                "the function returned no dictionary of arrays.",
                where=self.name,
                received=type(found).__name__,
                expected="{stage: array}",
            )
        named = sort_out(found, self.name)
        check_batch(named.stages, inputs, self.name)
        return named


def open_source(rest: str, name: str) -> PythonSource:
    """``MODULE:FUNCTION`` or ``FILE.py:FUNCTION``; modules of the working directory are found too.

    Raises:
        ConfigError: the module or the function is not there, or fails when it is imported.
    """
    path, _, attribute = rest.rpartition(":")
    if not path or not attribute:
        raise ConfigError(
            "a function of Python needs the module that has it.",
            where=name,
            expected="py:MODULE:FUNCTION or py:FILE.py:FUNCTION",
        )
    try:
        module = _file(Path(path)) if path.endswith(".py") else _module(path)
    except Exception as error:
        raise ConfigError(
            "the module cannot be imported.",
            where=name,
            received=f"{type(error).__name__}: {error}",
            fix="try `python -c 'import ...'` where you run this",
        ) from error
    function = getattr(module, attribute, None)
    if not callable(function):
        known = [each for each, value in vars(module).items() if callable(value)]
        raise unknown_name("function", attribute, known, where=name)
    return PythonSource(function, name)


def _module(name: str) -> ModuleType:
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.append(here)  # last, so that nothing installed is hidden; its own imports need it
    return importlib.import_module(name)


def _file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"no module at {path}")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
