"""sentence-transformers' Dense module: a linear layer after pooling, with an activation.

Source: sentence_transformers/base/modules/dense.py, ``Dense``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, Literal, NamedTuple

from npbert.errors import UnsafeModelError, UnsupportedModelError
from npbert.weights.checks import Place, collect
from npbert.weights.files import open_regular
from npbert.weights.names import Array
from npbert.weights.safetensors_file import Entry, read_header, read_tensor
from npbert.weights.settings import boolean, damaged, read_settings, whole

Activation = Literal["identity", "tanh", "gelu", "relu", "sigmoid"]

WEIGHTS: Final = "model.safetensors"

_ACTIVATIONS: Final[dict[str, Activation]] = {  # classes of torch.nn, made without arguments
    "Identity": "identity",
    "Tanh": "tanh",
    "GELU": "gelu",  # erf
    "ReLU": "relu",
    "Sigmoid": "sigmoid",
}
_DEFAULT: Final = "torch.nn.modules.activation.Tanh"
_VECTOR: Final = "sentence_embedding"


class DenseModule(NamedTuple):
    """x (in,) -> activation(x @ weight + bias) (out,).

    Args:
        weight: (in, out) float32, C-contiguous.
        bias: (out,) float32, or None.
        activation: ``"gelu"`` is the one with erf.
    """

    weight: Array
    bias: Array | None
    activation: Activation


def read_dense(folder: Path) -> DenseModule:
    """The module in ``folder``: ``config.json`` and ``model.safetensors``.

    Raises:
        ModelFileError: a file is missing or damaged.
        UnsafeModelError: the weights are a pickle.
        UnsupportedModelError: an activation npbert does not have, a residual connection, or a layer
            that is not on a text's vector.
        WeightError: the weights are not those of the config.
    """
    path = folder / "config.json"
    config = read_settings(path)
    check_on_vector(config, path)
    if boolean(config, "use_residual", False, path):
        raise _unsupported("the Dense module has a residual connection.", path)
    sizes = _size(config, "in_features", path), _size(config, "out_features", path)
    bias = boolean(config, "bias", True, path)
    activation = _activation(config.get("activation_function", _DEFAULT), path)
    arrays = _read_weights(folder, *sizes, bias)
    return DenseModule(arrays["weight"], arrays.get("bias"), activation)


def check_on_vector(config: dict[str, Any], path: Path) -> None:
    """Refuse a module on anything else than the text's vector, such as its tokens' vectors.

    Raises:
        UnsupportedModelError: its config names another input or output.
    """
    for key in ("module_input_name", "module_output_name"):
        if config.get(key) not in (None, _VECTOR):
            raise _unsupported(f"the module's {key} is {config[key]!r:.80}.", path, repr(_VECTOR))


def _activation(name: object, path: Path) -> Activation:
    package, _, kind = str(name).rpartition(".")
    if package.split(".")[0] == "torch" and kind in _ACTIVATIONS:
        return _ACTIVATIONS[kind]
    expected = ", ".join(f"torch.nn.{kind}" for kind in _ACTIVATIONS)
    raise _unsupported(f"npbert has no activation {name!r:.80}.", path, expected)


def _read_weights(folder: Path, inputs: int, outputs: int, bias: bool) -> dict[str, Array]:
    path = folder / WEIGHTS
    if not path.exists() and (folder / "pytorch_model.bin").exists():
        raise UnsafeModelError(
            "the weights are a pickle, which can run code when it is read.",
            where=folder / "pytorch_model.bin",
            expected=WEIGHTS,
            fix="convert the model to safetensors: sentence-transformers' save_pretrained does",
        )
    places = [Place("weight", "linear.weight", (outputs, inputs))]
    places += [Place("bias", "linear.bias", (outputs,))] * bias
    with open_regular(path) as file:

        def read(place: Place, entry: Entry) -> Array:
            array = read_tensor(file, entry, place.key, path)
            return array.T.copy() if array.ndim == 2 else array  # torch's (out, in) -> (in, out)

        header = read_header(file, path)
        return collect(places, header, shape_of=lambda e: e.shape, read=read, where=path)


def _size(config: dict[str, Any], key: str, path: Path) -> int:
    size = whole(config, key, path)
    if size is None:
        raise damaged(path, f"an int of 1 or more as {key}", size)
    return size


def _unsupported(what: str, path: Path, expected: str | None = None) -> UnsupportedModelError:
    return UnsupportedModelError(
        what,
        where=path,
        expected=expected,
        fix="use BertBackbone for its token vectors, or another model",
    )
