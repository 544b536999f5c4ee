"""A model that is in memory already, as a source."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from npbert.backbone import BertBackbone
from npbert.errors import InputTypeError
from npbert.parity.sources import open_source
from npbert.parity.types import Source

Model = Source | BertBackbone | str | Callable[..., Any]
"""A source or its spec; a model of npbert, transformers, sentence-transformers or Keras Hub; or a
function of `npbert.parity.sources.of_python`."""

_SHOWS = ("weights", "tokenize", "run", "encode")


def as_source(model: Model) -> Source:
    """The source that a model is, whatever it comes as.

    Raises:
        InputTypeError: it is none of `Model`.
        Whatever `npbert.parity.open_source` raises for a spec, and a source for its model.
    """
    if isinstance(model, str):
        return open_source(model)
    if isinstance(model, BertBackbone):
        from npbert.parity.sources.of_npbert import NpbertSource

        return NpbertSource(model)
    if all(callable(getattr(model, method, None)) for method in _SHOWS):
        return model  # type: ignore[return-value]
    libraries = {kind.__module__.partition(".")[0] for kind in type(model).__mro__}
    if "sentence_transformers" in libraries:
        from npbert.parity.sources.of_sentence_transformers import SentenceTransformersSource

        return SentenceTransformersSource(model)
    if "torch" in libraries:
        from npbert.parity.sources.of_torch import TorchSource

        return TorchSource(model)
    if "keras" in libraries:
        from npbert.parity.sources.of_keras import KerasSource

        return KerasSource(model)
    if callable(model):
        from npbert.parity.sources.of_python import PythonSource

        return PythonSource(model)
    raise InputTypeError(
        "this is no model, and no source.",
        received=type(model).__name__,
        expected="a source or its spec, a BertBackbone, or a function that gives stages",
    )
