"""Both sides of a comparison, whatever they are: a spec ``KIND:REST`` -> a `Source`.

Each kind is a file of its own, ``of_KIND``, and imports its library when a source of it is opened.
A plain name or path is a model that npbert loads.
"""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from typing import Any, Final, NamedTuple

from npbert.config import unknown_name
from npbert.errors import ConfigError
from npbert.parity.sources.base import Base


class Kind(NamedTuple):
    """One kind of source.

    Args:
        rest: what follows the colon.
        about: one line.
        module: the file; ``open_source`` in it takes the rest and the whole spec.
    """

    rest: str
    about: str
    module: str


KINDS: Final = {
    "npbert": Kind(
        "MODEL[@DTYPE]",
        "any preset, handle or directory, in any dtype policy; 'npbert:' may be left out",
        "of_npbert",
    ),
    "bundle": Kind(
        "STEM[#SOURCE]",
        "what STEM.json and STEM.safetensors recorded",
        "of_bundle",
    ),
    "keras": Kind(
        "PRESET[@DTYPE]",
        "live Keras Hub, on the backend that KERAS_BACKEND names",
        "of_keras",
    ),
    "torch": Kind(
        "DIR[@DTYPE]",
        "live transformers BertModel, hooks on its modules",
        "of_torch",
    ),
    "st": Kind(
        "DIR[@DTYPE]",
        "live sentence-transformers: the transformer's stages, pooling and vectors",
        "of_sentence_transformers",
    ),
    "onnx": Kind(
        "FILE",
        "ONNX Runtime; stages by the names that PyTorch's exporters give, else the outputs",
        "of_onnx",
    ),
    "npz": Kind(
        "FILE",
        "arrays named as stages, or by an alias of them",
        "of_npz",
    ),
    "py": Kind(
        "MODULE:FUNCTION",
        "runs your code: FUNCTION(token_ids, segment_ids, padding_mask) -> {stage: array};"
        " MODULE may be a FILE.py",
        "of_python",
    ),
    "http": Kind(
        "//127.0.0.1:PORT/v1/embeddings[#MODEL]",
        "vectors of a server on this machine; also /embed of text-embeddings-inference",
        "of_http",
    ),
}


def open_source(spec: str) -> Base:
    """The source that a spec names.

    Args:
        spec: ``KIND:REST`` as in `KINDS`, or what `npbert.BertBackbone.from_preset` takes.

    Raises:
        ConfigError: there is no such kind, or what follows it makes no sense.
        DependencyError: its library is not installed; the message has the pip command.
        ModelFileError, UnsafeModelError, UnsupportedModelError, WeightError, InputError: the source
            cannot be read.
    """
    kind, rest = _parts(spec)
    if not rest:
        raise ConfigError(
            "the source names nothing.",
            where=spec,
            expected=f"{kind}:{KINDS[kind].rest}",
        )
    module: Any = importlib.import_module(f"{__name__}.{KINDS[kind].module}")
    source: Base = module.open_source(rest, spec)
    return source


def _parts(spec: str) -> tuple[str, str]:
    """The kind, and what follows it."""
    kind, colon, rest = spec.partition(":")
    if colon and kind in KINDS:
        return kind, rest
    # hf://, kaggle:// and C:\ are what the loader of presets knows.
    plain = not re.fullmatch(r"[\w.-]{2,}", kind, re.ASCII) or rest.startswith("//")
    if not colon or (plain and kind != "https") or Path(spec).exists():
        return "npbert", spec
    raise unknown_name("kind of source", kind, list(KINDS), where=spec)
