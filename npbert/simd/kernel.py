"""`@kernel`: the one place where Numba is told how to compile.

Rules that hold for every kernel (a test greps for any other use of ``njit``):

* ``nogil``: kernels run on npbert's own threads.
* ``error_model="numpy"``: Python's error model puts a branch for ZeroDivisionError before every
  division and keeps loops from becoming vector code.
* no ``fastmath`` of any kind, no ``parallel``: both change bits with the machine or the moment.
* arguments are checked, contiguous, aligned arrays of the one declared signature; a kernel writes
  into ``out``, allocates nothing and raises nothing.

A kernel compiles when it is first called or `prepare`\\ d, never at import, and is kept by
`npbert.simd.cache`.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from typing import Any

from npbert.errors import KernelError
from npbert.simd import cache

OPTIONS = {"nogil": True, "error_model": "numpy"}
_compiling = threading.RLock()


def _unlock() -> None:
    """In a forked child: the thread that held the lock is gone."""
    global _compiling
    _compiling = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock)


class Kernel:
    """A function that Numba compiles for one signature, the first time it is needed.

    Args:
        function: the Python source; it may call other kernels and the names of `npbert.simd`.
        signature: Numba's notation, for instance ``"void(float32[:, ::1], int64)"``.
    """

    def __init__(self, function: Callable[..., Any], signature: str) -> None:
        self.function = function
        self.signature = signature
        self.name = function.__name__
        self.__doc__ = function.__doc__
        self.__wrapped__ = function
        self._dispatcher: Any = None
        self._ready = False

    def __call__(self, *arguments: Any) -> None:
        if not self._ready:
            if not self.signature:
                raise KernelError(
                    f"{self.name} is a piece of kernels, and cannot be called itself."
                )
            self.prepare()
        self._dispatcher(*arguments)

    @property
    def dispatcher(self) -> Any:
        """Numba's dispatcher, with nothing compiled yet: what another kernel calls."""
        with _compiling:
            if self._dispatcher is None:
                self._dispatcher = self._make_dispatcher()
            return self._dispatcher

    @property
    def ready(self) -> bool:
        """Whether a call runs at once."""
        return self._ready

    def load(self) -> bool:
        """Make the kernel ready if its compiled code is on disk; returns whether it is ready."""
        if not self._ready and cache.has(self.dispatcher, self.signature):
            self.prepare()
        return self._ready

    def prepare(self) -> None:
        """Make the kernel ready: load the compiled code, or compile it.

        Raises:
            KernelError: Numba cannot compile (its JIT is switched off, or the install is broken).
        """
        with _compiling:
            if not self._ready:
                self.dispatcher.compile(self.signature)
                self.dispatcher.disable_compile()
                self._ready = True

    @property
    def _numba_type_(self) -> Any:
        """Numba asks for this where one kernel's source names another."""
        return self.dispatcher._numba_type_

    def _make_dispatcher(self) -> Any:
        numba = import_numba()
        if not self.signature:
            return numba.njit(forceinline=True, **OPTIONS)(self.function)
        dispatcher = numba.njit(**OPTIONS)(self.function)
        cache.attach(dispatcher, (self.function.__module__, self.name, self.signature))
        return dispatcher

    def __repr__(self) -> str:
        return f"<kernel {self.function.__module__}.{self.name}>"


def kernel(signature: str) -> Callable[[Callable[..., Any]], Kernel]:
    """Decorate a function as a kernel of ``signature``."""

    def decorate(function: Callable[..., Any]) -> Kernel:
        return Kernel(function, signature)

    return decorate


def inline(function: Callable[..., Any]) -> Kernel:
    """Decorate a piece that several kernels share: its code is copied into each of them.

    It may take and return `f32x16` values, and cannot be called from Python.
    """
    return Kernel(function, "")


def import_numba() -> Any:
    """Import Numba, or say how to make it importable.

    Raises:
        KernelError: Numba is missing, broken, or told not to compile.
    """
    try:
        import numba
    except Exception as error:
        raise KernelError(
            "Numba cannot be imported, and every kernel of npbert needs it.",
            received=f"{type(error).__name__}: {error}",
            fix="pip install --force-reinstall numba; npbert.reference runs without it, slowly",
        ) from error
    if numba.config.DISABLE_JIT:
        raise KernelError(
            "Numba's JIT is switched off, and kernels exist only as compiled code.",
            where="environment variable NUMBA_DISABLE_JIT",
            received=os.environ.get("NUMBA_DISABLE_JIT"),
            fix="unset it, or use npbert.reference, which is plain NumPy",
        )
    return numba
