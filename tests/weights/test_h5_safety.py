"""HDF5 files that reach outside themselves or declare what they do not hold."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from npbert.errors import ModelFileError, ResourceLimitError, UnsafeModelError, WeightError
from npbert.weights import keras_h5
from npbert.weights.h5_safety import safe_datasets

from .model_files import CONFIG, random_arrays, write_h5

KEY = "/layers/dense/vars/0"
SHAPE = (12, 12)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A good file but for the pooler's kernel, which the tests put in."""
    arrays = random_arrays()
    del arrays["pooled_dense/kernel"]
    return write_h5(tmp_path / "model.weights.h5", arrays)


def _soft(file: h5py.File) -> None:
    file[KEY] = h5py.SoftLink("/layers/embedding/vars/0")


def _external_link(file: h5py.File) -> None:
    file[KEY] = h5py.ExternalLink("other.h5", "/x")


def _external_storage(file: h5py.File) -> None:
    file.create_dataset(KEY, SHAPE, "<f4", external=[("/etc/passwd", 0, 576)])


def _virtual(file: h5py.File) -> None:
    layout = h5py.VirtualLayout(SHAPE, "<f4")
    layout[:] = h5py.VirtualSource("other.h5", "x", shape=SHAPE)
    file.create_virtual_dataset(KEY, layout)


def _references(file: h5py.File) -> None:
    file.create_dataset(KEY, SHAPE, h5py.ref_dtype)


def _regions(file: h5py.File) -> None:
    file.create_dataset(KEY, SHAPE, h5py.regionref_dtype)


def _variable_length(file: h5py.File) -> None:
    file.create_dataset(KEY, SHAPE, h5py.vlen_dtype(np.float32))


def _strings(file: h5py.File) -> None:
    file.create_dataset(KEY, SHAPE, h5py.string_dtype())


def _fixed_strings(file: h5py.File) -> None:
    file.create_dataset(KEY, SHAPE, "S4")


def _committed_compound(file: h5py.File) -> None:
    file["/pair"] = np.dtype([("a", "<f4"), ("b", "<f4")])
    file.create_dataset(KEY, SHAPE, file["/pair"])
    del file["/pair"]


def _compound(file: h5py.File) -> None:
    file.create_dataset(KEY, SHAPE, [("a", "<f4"), ("b", "<f4")])


def _committed(file: h5py.File) -> None:
    file[KEY] = np.dtype("<f4")


def _plugin(file: h5py.File) -> None:
    file.create_dataset(KEY, data=np.ones(SHAPE, np.float32), compression="lzf")


def _unknown_filter(file: h5py.File) -> None:
    """Optional, so that HDF5 writes without it; a reader would look for its code."""
    options = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    options.set_chunk(SHAPE)
    options.set_filter(4242, h5py.h5z.FLAG_OPTIONAL, (1,))
    space, group = h5py.h5s.create_simple(SHAPE), file.require_group(KEY.rpartition("/")[0])
    dataset = h5py.h5d.create(group.id, b"0", h5py.h5t.IEEE_F32LE, space, options)
    dataset.write(h5py.h5s.ALL, h5py.h5s.ALL, np.ones(SHAPE, np.float32))


@pytest.mark.parametrize(
    ("put", "received"),
    [
        (_soft, "SoftLink"),
        (_external_link, "ExternalLink"),
        (_external_storage, "external storage"),
        (_virtual, "a virtual dataset"),
        (_references, "elements of type object"),
        (_regions, "elements of type object"),
        (_variable_length, "elements of type object"),
        (_strings, "elements of type object"),
        (_fixed_strings, "elements of type |S4"),
        (_committed_compound, "elements of type"),
        (_compound, "elements of type"),
        (_committed, "a committed datatype"),
        (_plugin, "filter 32000, whose code HDF5 would load"),
        (_unknown_filter, "filter 4242, whose code HDF5 would load"),
    ],
)
def test_unsafe(path: Path, put: Callable[[h5py.File], None], received: str):
    with h5py.File(path, "a") as file:
        put(file)
    received = re.escape(received)
    message = rf"reaches outside its own arrays\.\n  where:    .*{KEY}\n  received: {received}"
    with pytest.raises(UnsafeModelError, match=message):
        keras_h5.load(path, CONFIG)


def test_a_link_that_the_config_does_not_ask_for_is_unsafe_too(path: Path):
    with h5py.File(path, "a") as file:
        file["/optimizer/vars/0"] = h5py.ExternalLink("other.h5", "/x")
    with pytest.raises(UnsafeModelError, match="ExternalLink"):
        keras_h5.load(path, CONFIG)


@pytest.mark.parametrize("link", [h5py.SoftLink("/b"), h5py.ExternalLink("other.h5", "/x")])
@pytest.mark.parametrize("group", ["/layers/dense", "/layers", "/vars"])
def test_a_group_that_is_elsewhere(path: Path, link: object, group: str):
    with h5py.File(path, "a") as file:
        if group in file:
            del file[group]
        file[group] = link
    with pytest.raises(UnsafeModelError, match=rf"{group}\n  received: {type(link).__name__}"):
        keras_h5.load(path, CONFIG)


def test_a_shape_bomb_is_refused_by_its_shape(path: Path):
    with h5py.File(path, "a") as file:
        file.create_dataset(KEY, (10**6, 10**6), "<f4")
    with pytest.raises(WeightError, match=r"received: \(1000000, 1000000\)"):
        keras_h5.load(path, CONFIG)


def test_data_that_was_never_written(path: Path):
    with h5py.File(path, "a") as file:
        file.create_dataset(KEY, SHAPE, "<f4")
    message = r"does not hold all the data(.|\n)*received: 0 bytes\n  expected: 576 bytes"
    with pytest.raises(ModelFileError, match=message):
        keras_h5.load(path, CONFIG)


def test_chunks_that_were_never_written(path: Path):
    with h5py.File(path, "a") as file:
        dataset = file.create_dataset(KEY, SHAPE, "<f4", chunks=(5, 12))
        dataset[:10] = 1
    with pytest.raises(ModelFileError, match=r"does not hold all the data it declares"):
        keras_h5.load(path, CONFIG)


def test_a_decompression_bomb(tmp_path: Path):
    config = dataclasses.replace(CONFIG, vocabulary_size=100_000)
    path = write_h5(tmp_path / "a.h5", random_arrays())
    with h5py.File(path, "a") as file:
        key = "/layers/reversible_embedding/vars/0"
        del file[key]
        file.create_dataset(key, (100_000, 12), "<f4", compression="gzip", chunks=(50_000, 12))
        file[key][...] = 0
    with pytest.raises(ResourceLimitError, match="bytes that unpack to 4800000"):
        keras_h5.load(path, config)


def test_a_chunk_far_larger_than_its_data(path: Path):
    with h5py.File(path, "a") as file:
        options = {"maxshape": (None, 12), "chunks": (1_000_000, 12), "compression": "gzip"}
        file.create_dataset(KEY, data=np.ones(SHAPE, np.float32), **options)
    with pytest.raises(ResourceLimitError, match="bytes that unpack to 48000000"):
        keras_h5.load(path, CONFIG)


def test_a_cycle_of_hard_links(path: Path):
    with h5py.File(path, "a") as file:
        file["/layers/dense/again"] = file["/layers"]
    with pytest.raises(ResourceLimitError, match=r"nesting deeper than 32|more than"):
        keras_h5.load(path, CONFIG)


def test_deep_nesting(path: Path):
    with h5py.File(path, "a") as file:
        file.create_group("/a" * 40)
    with pytest.raises(ResourceLimitError, match="nesting deeper than 32"):
        keras_h5.load(path, CONFIG)


def test_too_many_groups(path: Path):
    with h5py.File(path, "a") as file:
        for i in range(40):
            file.create_group(f"/layers/dense_{i}")
        with pytest.raises(ResourceLimitError, match="more than 30 groups and datasets"):
            safe_datasets(h5py, file, path, limit=30)
