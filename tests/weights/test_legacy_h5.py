"""The .h5 of Keras before version 3."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from npbert.errors import UnsafeModelError, WeightError
from npbert.weights import keras_h5
from npbert.weights.names import tensors

from .model_files import CONFIG, assert_same, random_arrays

LAYERS = list(dict.fromkeys(tensor.name.partition("/")[0] for tensor in tensors(CONFIG)))


def write(
    path: Path, arrays: dict[str, np.ndarray], *, root: str = "/", suffix: str = "", cut: int = 1
) -> Path:
    """As Keras's ``save_weights_to_hdf5_group``; names in ``cut`` attributes where it is not 1."""
    with h5py.File(path, "w") as file:
        group = file.require_group(root)
        _names(group, "layer_names", ["token_ids", *LAYERS], cut)
        for layer in ["token_ids", *LAYERS, "top_level_model_weights"]:
            own = [name for name in arrays if name.startswith(f"{layer}/")]
            _names(group.create_group(layer), "weight_names", [n + suffix for n in own], cut)
            for name in own:
                group[layer][name + suffix] = arrays[name]
    return path


def _names(group: h5py.Group, attribute: str, names: list[str], cut: int) -> None:
    data = [name.encode() for name in names]
    if cut == 1:
        group.attrs[attribute] = data
        return
    for i in range(cut):
        group.attrs[f"{attribute}{i}"] = data[i * len(data) // cut : (i + 1) * len(data) // cut]


@pytest.mark.parametrize("root", ["/", "/model_weights"])
@pytest.mark.parametrize("suffix", ["", ":0"])
@pytest.mark.parametrize("cut", [1, 3])
def test_loads(tmp_path: Path, root: str, suffix: str, cut: int):
    path = write(tmp_path / "model.h5", random_arrays(), root=root, suffix=suffix, cut=cut)
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def test_neither_the_config_nor_the_optimizer_is_looked_at(tmp_path: Path):
    path = write(tmp_path / "model.h5", random_arrays(), root="/model_weights")
    with h5py.File(path, "a") as file:
        file.attrs["model_config"] = '{"class_name": "Lambda", "config": "run me"}'
        file["/optimizer_weights/Adam/iterations:0"] = np.int64(3)
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def _renamed(path: Path, layer: str, names: list[str]) -> None:
    """Give a layer's variables other names, in the order they have."""
    with h5py.File(path, "a") as file:
        group = file[layer]
        old = list(group.attrs["weight_names"])
        values = [group[name][...] for name in old]
        for name in old:
            del group[name]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, value in zip(names, values, strict=True):
            group[name] = value


NUMBERED = [
    f"transformer_layer_1/{sublayer}:0"
    for sublayer in (
        *("multi_head_attention_1/query/kernel", "multi_head_attention_1/query/bias"),
        *("multi_head_attention_1/key/kernel", "multi_head_attention_1/key/bias"),
        *("multi_head_attention_1/value/kernel", "multi_head_attention_1/value/bias"),
        "multi_head_attention_1/attention_output/kernel",
        "multi_head_attention_1/attention_output/bias",
        *("layer_normalization_3/gamma", "layer_normalization_3/beta"),
        *("layer_normalization_4/gamma", "layer_normalization_4/beta"),
        *("dense_2/kernel", "dense_2/bias", "dense_3/kernel", "dense_3/bias"),
    )
]


def test_sublayers_that_were_numbered_go_by_their_numbers(tmp_path: Path):
    path = write(tmp_path / "model.h5", random_arrays(), suffix=":0")
    _renamed(path, "transformer_layer_1", NUMBERED)
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


@pytest.mark.parametrize("others", [("_9", "_10"), ("", "_1")])
def test_other_numbers(tmp_path: Path, others: tuple[str, str]):
    names = [*NUMBERED]
    for number, other in zip(("_3/", "_4/"), others):
        names = [n.replace(f"normalization{number}", f"normalization{other}/") for n in names]
    assert names != NUMBERED
    path = write(tmp_path / "model.h5", random_arrays(), suffix=":0")
    _renamed(path, "transformer_layer_1", names)
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def test_variables_that_were_numbered(tmp_path: Path):
    """As where the sublayers' names are not part of the variables'."""
    names = [*NUMBERED]
    names[8:] = [
        f"transformer_layer_1/{name}:0"
        for name in ("gamma", "beta", "gamma_1", "beta_1", "kernel", "bias", "kernel_1", "bias_1")
    ]
    path = write(tmp_path / "model.h5", random_arrays(), suffix=":0")
    _renamed(path, "transformer_layer_1", names)
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


DOUBTFUL = {
    "another kind": {8: "other_3/gamma"},
    "two kinds": {8: "layer_normalization_x/gamma"},
    "one without a sublayer": {8: "gamma"},
    "a name beside numbers": {8: "self_attention_layer_n0rm/gamma", 10: "dense_9/gamma"},
    "no attention": {0: "attention/query/kernel"},
}


@pytest.mark.parametrize("changes", DOUBTFUL.values(), ids=DOUBTFUL)
def test_names_that_leave_a_doubt(tmp_path: Path, changes: dict[int, str]):
    names = [*NUMBERED]
    for at, name in changes.items():
        names[at] = f"transformer_layer_1/{name}:0"
    path = write(tmp_path / "model.h5", random_arrays(), suffix=":0")
    _renamed(path, "transformer_layer_1", names)
    with pytest.raises(WeightError, match=r"tensors? (is|are) missing"):
        keras_h5.load(path, CONFIG)


def test_a_name_that_is_damaged(tmp_path: Path):
    path = write(tmp_path / "model.h5", random_arrays(), suffix=":0")
    inside = "transformer_layer_1/transformer_layer_1"
    with h5py.File(path, "a") as file:
        file.move(f"{inside}/feedforward_layer_norm", f"{inside}/feedf0rward_layer_norm")
    with pytest.raises(WeightError, match="2 tensors are missing"):
        keras_h5.load(path, CONFIG)


def test_the_order_that_the_file_states_is_not_read(tmp_path: Path):
    path = write(tmp_path / "model.h5", random_arrays())
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = 5
        for layer in LAYERS:
            file[layer].attrs["weight_names"] = [b"../x", b"y"]
    assert_same(keras_h5.load(path, CONFIG), random_arrays())


def test_missing_and_extra(tmp_path: Path):
    path = write(tmp_path / "model.h5", random_arrays())
    with h5py.File(path, "a") as file:
        del file["pooled_dense/pooled_dense/bias"]
    with pytest.raises(WeightError, match=r"1 tensor is missing(.|\n)*/layers/dense/vars/1"):
        keras_h5.load(path, CONFIG)
    path = write(tmp_path / "other.h5", random_arrays())
    with h5py.File(path, "a") as file:
        file["logits/kernel"] = np.ones((2, 3), np.float32)
    with pytest.raises(WeightError, match=r"1 tensor is in the file(.|\n)*/logits/kernel"):
        keras_h5.load(path, CONFIG)


def test_a_link_is_unsafe_here_too(tmp_path: Path):
    path = write(tmp_path / "model.h5", random_arrays())
    with h5py.File(path, "a") as file:
        del file["pooled_dense"]
        file["pooled_dense"] = h5py.ExternalLink("other.h5", "/pooled_dense")
    with pytest.raises(UnsafeModelError, match="ExternalLink"):
        keras_h5.load(path, CONFIG)


def test_a_layer_that_is_a_dataset(tmp_path: Path):
    path = write(tmp_path / "model.h5", random_arrays())
    with h5py.File(path, "a") as file:
        del file["pooled_dense"]
        file["pooled_dense"] = np.ones(3, np.float32)
    with pytest.raises(WeightError, match="2 tensors are missing"):
        keras_h5.load(path, CONFIG)
