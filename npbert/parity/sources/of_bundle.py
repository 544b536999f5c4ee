"""What was recorded before: the stages of one source in a bundle, see `npbert.parity.bundle`."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from npbert.config import BertConfig, unknown_name
from npbert.errors import ConfigError, ModelFileError
from npbert.parity.budget import Tolerance
from npbert.parity.bundle import Bundle, load_bundle
from npbert.parity.sources.base import NAMES, Base, split_off
from npbert.parity.sources.named import OF_TEXTS, is_stage
from npbert.parity.types import Array, Inputs, Stages, Tokens


class BundleSource(Base):
    """One source of a bundle, on the inputs that the bundle has.

    Args:
        bundle: as it was loaded.
        source: which of its sources; None if it has one.
        name: as the user wrote it.

    Raises:
        ConfigError: no such source, or several to choose from.
        ModelFileError: the bundle holds no stages, or not their inputs.

    Attributes:
        texts: those that it has the tokens or the vectors of; empty without them.
        tolerances: stage -> what was let pass of it where it was recorded.
        weight_hashes: name -> what `npbert.parity.bundle.weight_hashes` gave, where it has no
            weights.
    """

    kind = "bundle"

    def __init__(self, bundle: Bundle, source: str | None = None, name: str = "bundle") -> None:
        inputs = bundle.group("inputs")
        config = bundle.meta.get("config")
        self._bundle, self._source = bundle, _chosen(bundle, source, name)
        stages = bundle.group(self._source)
        of_texts_alone = not inputs and all(stage in OF_TEXTS for stage in stages)
        recorded: dict[str, Array] = {each: inputs[each] for each in NAMES if each in inputs}
        super().__init__(
            name,
            config=BertConfig.from_dict(config, where=name) if config else None,
            recorded=None if of_texts_alone else recorded,
            environment=_environment(bundle.meta),
        )
        if len(recorded) < len(NAMES) and not of_texts_alone:
            raise _incomplete(name, f"inputs {', '.join(inputs) or 'none'}")
        self.weight_hashes: Mapping[str, str] = bundle.meta.get("weights_sha256") or {}
        self.tolerances = _tolerances(bundle.meta, name)
        self._tokens = _tokens(bundle.meta, name)
        vectors = [stages[each] for each in OF_TEXTS if each in stages]
        self.texts = _texts(bundle.meta, self._tokens, vectors, name)

    def weights(self) -> Mapping[str, Array] | None:
        return self._bundle.group("weights") or None

    def run(self, inputs: Inputs) -> Stages:
        self.check_recorded(inputs)
        found = self._bundle.group(self._source)
        return {name: array for name, array in found.items() if name not in OF_TEXTS}

    def tokenize(self, texts: Sequence[str]) -> Tokens | None:
        rows = self._rows(texts)
        if self._tokens is None or rows is None:
            return None
        fields = {name: every for name, every in vars(self._tokens).items() if every is not None}
        return Tokens(**{name: [every[row] for row in rows] for name, every in fields.items()})

    def encode(self, texts: Sequence[str]) -> Stages | None:
        found, rows = self._bundle.group(self._source), self._rows(texts)
        recorded = {name: array for name, array in found.items() if name in OF_TEXTS}
        if not recorded or rows is None:
            return None
        return {name: array[rows] for name, array in recorded.items()}

    def _rows(self, texts: Sequence[str]) -> list[int] | None:
        """Where these texts are among the recorded ones; None unless all of them are."""
        places = {text: row for row, text in enumerate(self.texts)}
        return [places[text] for text in texts] if set(texts) <= set(places) else None


def open_source(rest: str, name: str) -> BundleSource:
    """``STEM[#SOURCE]``; either of the two files stands for their stem."""
    stem, source = split_off(rest, "#")
    for ending in (".json", ".safetensors"):
        stem = stem.removesuffix(ending)
    return BundleSource(load_bundle(stem), source, name)


def sources_in(bundle: Bundle) -> list[str]:
    """The sources that a bundle has stages of."""
    pairs = (key.partition(".") for key in bundle.arrays)
    return sorted({source for source, _, stage in pairs if is_stage(stage)})


def _chosen(bundle: Bundle, source: str | None, name: str) -> str:
    found = sources_in(bundle)
    if not found:
        raise _incomplete(name, "no stages")
    if source is not None and source not in found:
        raise unknown_name("source of the bundle", source, found, where=name)
    if source is None and len(found) > 1:
        raise ConfigError(
            "the bundle has the stages of several sources.",
            where=name,
            received=", ".join(found),
            fix=f"name one of them: {name}#{found[0]}",
        )
    return source or found[0]


def _tolerances(meta: Mapping[str, Any], name: str) -> dict[str, Tolerance]:
    found: Any = meta.get("tolerances") or {}
    try:
        return {
            stage: Tolerance(_limit(largest), None if bulk is None else _limit(bulk))
            for stage, (largest, bulk) in found.items()
        }
    except (AttributeError, TypeError, ValueError) as error:
        raise ModelFileError(
            "the bundle's tolerances cannot be read.",
            where=name,
            received=error,
            expected="stage -> [the largest difference, that of its 99th percentile or null]",
            fix="record it again with `npbert parity record`",
        ) from error


def _limit(value: Any) -> float:
    if not 0 <= float(value) < math.inf:
        raise ValueError(f"{value} is no tolerance")
    return float(value)


def _tokens(meta: Mapping[str, Any], name: str) -> Tokens | None:
    """The recorded tokens of all texts."""
    fields: Any = meta.get("tokens")
    if fields is None:
        return None
    known = [field.name for field in dataclasses.fields(Tokens)]
    try:
        found = Tokens(**{field: list(rows) for field, rows in fields.items() if field in known})
        if found.offsets is None:
            return found
        offsets = [[(start, end) for start, end in row] for row in found.offsets]  # JSON has lists
        return dataclasses.replace(found, offsets=offsets)
    except (AttributeError, TypeError, ValueError) as error:
        raise _not_of_texts(name, error) from error


def _texts(
    meta: Mapping[str, Any], tokens: Tokens | None, vectors: Sequence[Array], name: str
) -> list[str]:
    """The texts that the tokens and the vectors are of."""
    texts: Any = meta.get("texts")
    if texts is None or (tokens is None and not vectors):
        return []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise _not_of_texts(name, "texts that are no list of texts")
    of_tokens = [] if tokens is None else [x for x in vars(tokens).values() if x is not None]
    lengths = [*map(len, of_tokens), *(len(np.atleast_1d(array)) for array in vectors)]
    if any(length != len(texts) for length in lengths):
        raise _not_of_texts(name, f"{len(texts)} texts, rows {', '.join(map(str, lengths))}")
    return texts


def _not_of_texts(name: str, received: object) -> ModelFileError:
    return ModelFileError(
        "the bundle's tokens or vectors are not those of its texts.",
        where=name,
        received=received,
        expected="a list of texts; ids and tokens, and every vector, with a row for each of them",
        fix="record it again with `npbert parity record`",
    )


def _incomplete(name: str, received: str) -> ModelFileError:
    return ModelFileError(
        "the bundle has no stages of a run.",
        where=name,
        received=received,
        expected="inputs.token_ids, inputs.segment_ids, inputs.padding_mask and SOURCE.STAGE",
        fix="record one with `npbert parity record`",
    )


def _environment(meta: Mapping[str, Any]) -> dict[str, str]:
    """Who computed it: the versions, flat."""
    said: Any = meta.get("environment") or meta.get("provenance")
    flat: dict[str, Any] = dict(said) if isinstance(said, Mapping) else {}
    versions: Any = flat.pop("versions", None)
    flat |= versions if isinstance(versions, Mapping) else {}
    return {key: str(value) for key, value in flat.items() if value is not None}
