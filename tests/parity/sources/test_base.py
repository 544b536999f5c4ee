"""What sources share: libraries that are missing, directories, suffixes, records."""

from __future__ import annotations

import numpy as np
import pytest
from goldens import GOLDEN

from npbert.errors import DependencyError, InputError, ModelFileError
from npbert.parity.sources.base import (
    BATCH,
    NAMES,
    Base,
    cannot_run,
    imported,
    in_batches,
    local_directory,
    split_off,
    versions,
)

INPUTS = {name: np.arange(6).reshape(2, 3) + i for i, name in enumerate(NAMES)}


def test_the_least_source_shows_nothing():
    source = Base("x")
    assert (source.name, source.kind, source.config, source.recorded) == ("x", "", None, None)
    assert source.weights() is source.tokenize(["a"]) is source.encode(["a"]) is None
    assert source.run(INPUTS) == source.unnamed(INPUTS) == {}


def test_a_record_knows_only_its_inputs():
    source = Base("x", recorded=INPUTS)
    source.check_recorded({name: array.astype(np.int64) for name, array in INPUTS.items()})
    with pytest.raises(InputError, match=r"only the inputs that it was made with[^$]*segment_ids"):
        source.check_recorded({**INPUTS, "segment_ids": np.zeros((2, 3))})
    Base("y").check_recorded({})


def test_a_missing_library_says_how_to_install_it():
    with pytest.raises(DependencyError, match=r"kind 'torch'[^$]*pip install the-package") as error:
        imported("npbert_no_such_library", "the-package", "torch")
    assert "npbert_no_such_library" in str(error.value)
    assert imported("json", "json", "x").loads("1") == 1


def test_versions_of_what_is_installed():
    assert list(versions("numpy", "no-such-distribution")) == ["numpy"]


def test_directories(tmp_path):
    assert local_directory(str(GOLDEN)) == GOLDEN
    with pytest.raises(ModelFileError, match=r"no directory at '.*none'[^$]*nothing"):
        local_directory(str(tmp_path / "none"))
    (tmp_path / "file").touch()
    with pytest.raises(ModelFileError, match=r"received: a file"):
        local_directory(str(tmp_path / "file"))


def test_suffixes(tmp_path):
    assert split_off("a/b@float16", "@") == ("a/b", "float16")
    assert split_off("a@b/c", "@") == ("a@b/c", None)
    assert split_off("a/b", "@") == split_off("a/b", "#") == ("a/b", None)
    assert split_off("a@", "@") == ("a@", None)
    (tmp_path / "model@1").mkdir()
    assert split_off(str(tmp_path / "model@1"), "@") == (str(tmp_path / "model@1"), None)


def test_batches_of_texts():
    texts = [str(i) for i in range(2 * BATCH + 1)]
    assert [len(some) for some in in_batches(texts)] == [BATCH, BATCH, 1]
    assert [text for some in in_batches(texts) for text in some] == texts


def test_what_a_library_refuses_is_an_error_of_the_inputs():
    error = cannot_run("PyTorch", "torch:x", INPUTS, IndexError("index out of range"))
    assert isinstance(error, InputError)
    assert "PyTorch cannot run" in str(error)
    assert "IndexError: index out of range" in str(error)
    assert "(2, 3)" in str(error)
