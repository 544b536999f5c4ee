"""Compiled kernels on disk, so that only the first process compiles.

Numba's own cache (``cache=True``) is not used: it misses edits in other files, gives two sets of
options one entry, raises on a damaged file or a full disk, and loads pickles from anywhere. Here

* one file holds one kernel, and its key names all that the code depends on: sources, versions,
  options, settings, target. `npbert.simd.entries` says where it lies and when it is trusted;
* code for the target that this process chose (`npbert.simd.isa.choice`) comes first, and the
  machine's own second. Both have the same tiles and give the same bits. What is compiled here is
  the machine's own;
* nothing here raises into a caller. Where entries cannot be kept, each process compiles its own;
* what npbert uses of Numba's private parts is in this file. Where a release of Numba moves them,
  kernels are not kept, and one warning says so.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import logging
import os
import warnings
from pathlib import Path
from typing import Any

from npbert.simd import entries, isa, sources
from npbert.simd.isa import Choice

_log = logging.getLogger("npbert.cache")
_said: set[str] = set()


def attach(dispatcher: Any, name: tuple[str, ...]) -> None:
    """Let ``dispatcher`` look for its code on disk before it compiles, and keep what it compiles.

    Args:
        dispatcher: what ``numba.njit`` made of a kernel.
        name: what tells the kernel from all others: its module, its name, its signature.

    Raises:
        ConfigError: ``NPBERT_ISA`` names no instruction set.
    """
    isa.choice()
    function = dispatcher.py_func
    package = function.__module__.rpartition(".")[0]
    if package not in sources.SOURCES.packages or function.__closure__:
        _log.debug("%s is not kept: it is none of npbert's own kernels", ".".join(name[:2]))
    elif _active():
        try:
            dispatcher._cache = _KernelCache(dispatcher, name)
        except Exception as error:
            _numba_moved(error)


def has(dispatcher: Any, signature: str, choice: Choice | None = None) -> bool:
    """Whether there is an entry for ``signature``.

    Args:
        dispatcher: one that went through `attach`.
        signature: of the kernel.
        choice: what the entry must be of; unless given, whatever this process may load.
    """
    kept = getattr(dispatcher, "_cache", None)
    if not isinstance(kept, _KernelCache) or not _active():
        return False
    try:
        choices = [choice] if choice else _choices(dispatcher.targetctx)
        paths = [path for path, _ in (kept.entry(signature, each) for each in choices)]
        found = [path for path in paths if path.is_file()]
        for path in found:
            entries.check(path.parent)
    except Exception:
        return False
    return bool(found)


def _choices(target_context: Any) -> list[Choice]:
    """What this process may load, best first; the last is what it compiles."""
    first = isa.choice()
    own = Choice(first.isa, target_context.codegen().magic_tuple())
    return [own] if own == first else [first, own]


class _KernelCache:
    """Where Numba's dispatcher asks for code before it compiles, and leaves it afterwards.

    Whatever else a dispatcher wants of its cache, the one that Numba gave it answers: that one
    keeps nothing.
    """

    def __init__(self, dispatcher: Any, name: tuple[str, ...]) -> None:
        self._numbas = dispatcher._cache
        for method in ("load_overload", "save_overload"):
            ours, theirs = (inspect.signature(getattr(c, method)) for c in (self, self._numbas))
            if len(ours.parameters) != len(theirs.parameters):
                raise TypeError(f"{method}{theirs}")
        self._name = name
        self._options = sorted(dispatcher.targetoptions.items())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._numbas, name)

    def entry(self, sig: Any, choice: Choice) -> tuple[Path, bytes]:
        """The file for ``sig``, and the key that stands in it; OSError where there is no place."""
        arguments, _ = _numba("core.sigutils").normalize_signature(sig)
        key = "\n".join(
            f"{part}: {value!r}"
            for part, value in (
                ("name", (*self._name, choice.isa.name)),
                ("arguments", [str(each) for each in arguments]),
                ("options", self._options),
                ("target", choice.target),
                ("settings", sources.settings()),
                ("versions", sources.versions()),
                ("sources", sources.SOURCES.digest),
            )
        ).encode()
        found = entries.directory(choice.isa.name, choice.target)
        return found / f"{self._name[1]}-{entries.short_hash(key)}", key

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled kernel, or None: then Numba compiles it."""
        if not _active():
            return None
        try:
            choices = _choices(target_context)
        except Exception as error:
            return _numba_moved(error)
        loads = (self._load(sig, target_context, each) for each in choices)
        return next((each for each in loads if each is not None), None)

    def _load(self, sig: Any, target_context: Any, choice: Choice) -> Any:
        try:
            path, key = self.entry(sig, choice)
            content = entries.read(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            return _unusable(error)
        except Exception as error:
            return _numba_moved(error)
        try:
            result = _rebuild(target_context, entries.pickle_of(content, key))
            _, declared = _numba("core.sigutils").normalize_signature(sig)
        except Exception as error:
            _log.debug("removed %s: %s", path, error)
            entries.remove(path)
            if isinstance(error, AttributeError | ImportError | TypeError):
                _numba_moved(error)
            return None
        return result if declared in (None, result.signature.return_type) else None

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep what Numba has just compiled."""
        if not _active():
            return
        path = None
        try:
            path, key = self.entry(sig, _choices(data.target_context)[-1])
            entries.write(path, key, _reduce(data))
        except OSError as error:
            if path is None or not os.path.isfile(path):  # else another process was faster
                _unusable(error)
        except Exception as error:
            _numba_moved(error)


def _active() -> bool:
    """Whether entries may be used: not where the files say something else than what was loaded."""
    return "moved" not in _said and sources.SOURCES.unchanged()


# -- Numba's private parts -------------------------------------------------------------------------


def _numba(module: str) -> Any:
    return importlib.import_module(f"numba.{module}")


def _reduce(result: Any) -> bytes:
    """Pickle a compiled kernel, with the names of the symbols that its machine code asks for."""
    if result.lifted or result.library.has_dynamic_globals:
        raise TypeError("the code holds addresses of this process")
    # An environment holds Python constants. One that has none would only import its module.
    *parts, environments = result._reduce()
    parts.append(tuple(each for each in environments if each.consts))
    module = result.library._final_module
    symbols = [
        each.name
        for each in (*module.functions, *module.global_variables)
        if each.is_declaration and not each.name.startswith(("llvm.", ".numba.unresolved$"))
    ]
    return _numba("core.serialize").dumps((symbols, parts))


def _rebuild(target_context: Any, pickled: bytes) -> Any:
    """Undo `_reduce`. The bytes must come from a private directory."""
    symbols, parts = _numba("core.serialize").loads(pickled)
    _provide(symbols, target_context)
    return _numba("core.compiler").CompileResult._rebuild(target_context, *parts)


def _provide(symbols: list[str], target_context: Any) -> None:
    """Give every symbol an address: LLVM aborts the process where one has none.

    Kernels carry what they need of Numba's runtime, but for the helpers that it has in C: to name
    those is enough. Else the runtime compiles functions of its own, which takes 20 ms, and then the
    context loads all that Numba knows, which takes half a second.
    """
    llvm = importlib.import_module("llvmlite.binding")
    with contextlib.suppress(AttributeError, ImportError):
        for name, address in _numba("core.runtime._nrt_python").c_helpers.items():
            llvm.add_symbol(name if name.startswith("_") else f"NRT_{name}", address)
    for provide in (
        lambda: _numba("core.runtime").rtsys.initialize(target_context),
        target_context.refresh,
    ):
        if not all(llvm.address_of_symbol(each) for each in symbols):
            provide()


def _numba_moved(error: Exception) -> None:
    """Say once that this Numba is not one that this file knows, and keep nothing from here on."""
    if "moved" not in _said:
        _said.add("moved")
        warnings.warn(
            f"npbert cannot keep compiled kernels with Numba {sources.versions()[0]} "
            f"({type(error).__name__}: {error}). Every process compiles them again, with the same "
            "results. A newer npbert may know this Numba.",
            RuntimeWarning,
            stacklevel=3,
        )


def _unusable(error: OSError) -> None:
    """Say once that kernels stay in memory: aloud where the user chose the place."""
    if "unusable" in _said:
        return
    _said.add("unusable")
    _log.debug("kernels are kept in memory only: %s", error)
    chosen = os.environ.get("NPBERT_CACHE_DIR")
    if chosen:
        warnings.warn(
            f"the environment variable NPBERT_CACHE_DIR names {chosen!r}, where compiled kernels "
            f"cannot be kept ({error}). Every process compiles them again.",
            RuntimeWarning,
            stacklevel=3,
        )
