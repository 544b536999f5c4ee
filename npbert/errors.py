"""Every error npbert raises on purpose.

All of them derive from `NpbertError` and are built from the same five pieces, so that a reader
finds the remedy in the same place each time:

    token_ids has an id outside the vocabulary.
      where:    token_ids[3, 17]
      received: 30522
      expected: 0 <= id < 30522
      fix:      use the tokenizer that belongs to this model
"""

from __future__ import annotations


class NpbertError(Exception):
    """The root: ``except NpbertError`` catches whatever npbert refuses.

    Args:
        what: one sentence, what is wrong.
        where: the file, tensor, argument or index.
        received: what was found there.
        expected: what would have been accepted.
        fix: what to do about it.
    """

    def __init__(
        self,
        what: str,
        *,
        where: object = None,
        received: object = None,
        expected: object = None,
        fix: str | None = None,
    ) -> None:
        self.what = what
        self.where = where
        self.received = received
        self.expected = expected
        self.fix = fix
        details = [("where", where), ("received", received), ("expected", expected), ("fix", fix)]
        lines = [f"  {name + ':':<10}{value}" for name, value in details if value is not None]
        super().__init__("\n".join([what, *lines]))

    def __reduce__(self) -> tuple[object, ...]:
        """Keep the pieces when the error crosses a process boundary."""
        return (_rebuild, (type(self), self.what, self.__dict__.copy()))


def _rebuild(cls: type[NpbertError], what: str, state: dict[str, object]) -> NpbertError:
    pieces = {name: state[name] for name in ("where", "received", "expected", "fix")}
    return cls(what, **pieces)  # type: ignore[arg-type]


class ConfigError(NpbertError, ValueError):
    """A model or run-time setting that cannot be used."""


class ModelFileError(NpbertError, ValueError):
    """A model directory or file that is missing, damaged or not what its name says."""


class UnsupportedModelError(NpbertError, ValueError):
    """A model that is well formed, but is not a BERT that npbert can run."""


class UnsafeModelError(NpbertError, ValueError):
    """A model file that tries to reach outside itself (links, external data, code)."""


class WeightError(NpbertError, ValueError):
    """A tensor that is missing, extra, of the wrong shape, filled twice, or not finite."""


class InputError(NpbertError, ValueError):
    """Arguments of a call whose values or shapes the model cannot take."""


class InputTypeError(InputError, TypeError):
    """Arguments of a call whose type or dtype the model cannot take."""


class ResourceLimitError(NpbertError, MemoryError):
    """Something that would need more memory than it may have; raised before any is taken."""


class KernelError(NpbertError, RuntimeError):
    """A compiled kernel that cannot be built or that fails its self-check."""


class DependencyError(NpbertError, ImportError):
    """An optional package that is needed here and not installed; the fix names the extra."""
