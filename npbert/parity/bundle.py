"""A bundle: what a model was given and what each of its stages gave, in two files.

``CASE.json`` says where the numbers come from (versions, command, seed), which `BertConfig` they
belong to, and the SHA-256 of ``CASE.safetensors``, which holds the arrays:

=============================  ==============================================================
key                            array
=============================  ==============================================================
``inputs.token_ids``           (B, T) int32; also ``inputs.segment_ids``, ``.padding_mask``
``weights.<canonical name>``   float32, under Keras Hub's variable paths and shapes
``<source>.<stage>``           what one real model computed: ``tf64.layer.0.query``
``accuracy.inputs.*``          further sequences, (A, U) int32, for statistics of rounding error
``accuracy.<source>.<stage>``  their ``sequence_output`` and ``pooled_output``
=============================  ==============================================================

What `npbert.parity.record` writes has no accuracy set; see there for its other keys of the JSON.

A source is a backend and a width: ``tf64``, ``tf32``, ``jax32`` are Keras Hub on TensorFlow and
JAX, ``hf64``, ``hf32`` are Hugging Face transformers on PyTorch; or a backend and a dtype policy,
``tf_bfloat16``. A stage that the source computes inside one fused operation is absent. Both files
are readable without npbert.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

from npbert.dtype_policy import numpy_dtype
from npbert.errors import ModelFileError
from npbert.weights.atomic import replacing

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMA_VERSION: Final = 1

_KINDS: Final = {"F": "float", "BF": "bfloat", "I": "int", "U": "uint", "BOOL": "bool"}
_REGENERATE: Final = "write it again: `npbert parity record`; npbert's own: `make golden`"


@dataclasses.dataclass(frozen=True)
class Bundle:
    """The two files of a bundle in memory.

    Args:
        meta: the JSON object; `save_bundle` fills in ``schema_version`` and ``sha256``.
        arrays: every array by its key; read-only after `load_bundle`.
    """

    meta: dict[str, Any]
    arrays: dict[str, NDArray[Any]]

    def group(self, prefix: str) -> dict[str, NDArray[Any]]:
        """The arrays under ``prefix.``, keyed by the rest: ``group("tf64")["layer.0.query"]``."""
        start = prefix + "."
        return {k.removeprefix(start): a for k, a in self.arrays.items() if k.startswith(start)}


def save_bundle(stem: str | Path, bundle: Bundle) -> None:
    """Write ``stem.json`` and ``stem.safetensors``; the same bundle gives the same bytes.

    Raises:
        ConfigError: they cannot be written. Then neither is: what was there before stays.
    """
    import numpy as np
    from safetensors.numpy import save

    # Safetensors writes a buffer as it lies, so a transposed view would come back scrambled.
    data = save({name: np.asarray(array, order="C") for name, array in bundle.arrays.items()})
    meta = dict(bundle.meta, schema_version=SCHEMA_VERSION, sha256=hashlib.sha256(data).hexdigest())
    json_path, arrays_path = _paths(stem)
    text = json.dumps(meta, indent=1, sort_keys=True, ensure_ascii=False)
    with replacing(json_path) as files:
        files.folder(json_path.parent)
        files.file(arrays_path).write_bytes(data)
        files.file(json_path).write_text(text + "\n", encoding="utf-8")


def load_bundle(stem: str | Path) -> Bundle:
    """Read ``stem.json`` and ``stem.safetensors``, and check that they belong together.

    Raises:
        ModelFileError: a file is missing or unreadable, of another schema version, or the arrays
            are not the ones the JSON was written for.
    """
    json_path, arrays_path = _paths(stem)
    meta = _read_meta(json_path)
    try:
        data = arrays_path.read_bytes()
    except OSError as error:
        raise _unreadable(arrays_path, error) from error
    digest = hashlib.sha256(data).hexdigest()
    if digest != meta.get("sha256"):
        raise ModelFileError(
            "the bundle's arrays are not the ones its JSON describes.",
            where=arrays_path,
            received=f"sha256 {digest}",
            expected=f"sha256 {meta.get('sha256')}",
            fix=_REGENERATE,
        )
    return Bundle(meta, _read_arrays(data, arrays_path))


def weight_hashes(weights: Mapping[str, NDArray[Any]]) -> dict[str, str]:
    """Name -> SHA-256 of a tensor's dtype, shape and bytes."""
    import numpy as np

    found = {}
    for name, tensor in weights.items():
        said = f"{tensor.dtype.name} {list(tensor.shape)} ".encode()
        data = np.ascontiguousarray(tensor)
        little = data.astype(data.dtype.newbyteorder("<"), copy=False)
        found[name] = hashlib.sha256(said + little.tobytes()).hexdigest()
    return found


def _paths(stem: str | Path) -> tuple[Path, Path]:
    # Not Path.with_suffix: a case may have a dot in its name.
    return Path(f"{stem}.json"), Path(f"{stem}.safetensors")


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        meta = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    fields = cast("dict[str, Any]", meta) if isinstance(meta, dict) else {}
    version = fields.get("schema_version")
    if version != SCHEMA_VERSION:
        raise ModelFileError(
            "the bundle has another schema version.",
            where=path,
            received=version,
            expected=SCHEMA_VERSION,
            fix=_REGENERATE,
        )
    return fields


def _read_arrays(data: bytes, path: Path) -> dict[str, NDArray[Any]]:
    import numpy as np
    from safetensors import SafetensorError, deserialize  # its numpy part reads no bfloat16

    arrays: dict[str, NDArray[Any]] = {}
    try:
        for name, tensor in deserialize(data):  # type: ignore[no-untyped-call]
            arrays[name] = np.frombuffer(tensor["data"], _dtype(tensor["dtype"]))
            arrays[name] = arrays[name].reshape(tensor["shape"])
            arrays[name].flags.writeable = False
    except (SafetensorError, TypeError, ValueError) as error:
        raise _unreadable(path, error) from error
    return arrays


def _dtype(code: str) -> np.dtype[Any]:
    """What safetensors calls ``BF16`` or ``I32``."""
    kind = code.rstrip("0123456789")
    if kind not in _KINDS:
        raise ValueError(f"NumPy has no dtype for {code}")
    return numpy_dtype(_KINDS[kind] + code.removeprefix(kind))


def _unreadable(path: Path, error: Exception) -> ModelFileError:
    return ModelFileError(
        "a file of the bundle cannot be read.", where=path, received=error, fix=_REGENERATE
    )
