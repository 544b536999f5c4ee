"""The table of engines."""

from __future__ import annotations

import pytest

from npbert.bench import engines
from npbert.bench.engines import ENGINES, choose, why_not
from npbert.errors import ConfigError


def names(*wanted):
    return [entry.name for entry in choose(wanted)]


def test_all_race_unless_some_are_named():
    assert names() == [
        *("npbert", "npbert-tanh", "onnxruntime", "openvino", "openvino-throughput"),
        *("torch-eager", "torch-sdpa", "torch-compile", "ctranslate2", "sentence-transformers"),
        *("keras-tensorflow", "keras-jax", "keras-torch", "keras-numpy"),
    ]


def test_npbert_is_always_there_and_with_keras_hub_its_gelu():
    assert names("ctranslate2") == ["npbert", "ctranslate2"]
    assert names("keras-jax") == ["npbert", "npbert-tanh", "keras-jax"]


def test_weights_of_16_bits_only_if_they_are_named():
    assert names("npbert-bfloat16") == ["npbert", "npbert-bfloat16"]
    entry = ENGINES["npbert-float16"]
    assert (entry.reference, entry.options) == ("npbert", {"dtype": "float16_from_float32"})


def test_one_name_for_several():
    assert names("torch") == ["npbert", "torch-eager", "torch-sdpa", "torch-compile"]
    assert names("openvino") == ["npbert", "openvino"]
    assert names("npbert") == ["npbert"]


@pytest.mark.parametrize("name", ["tensorrt", "torch-float64"])
def test_no_such_engine(name):
    with pytest.raises(ConfigError, match="the bench knows no such engine"):
        choose([name])


def test_what_is_not_installed_is_said_with_the_remedy():
    entry = ENGINES["openvino"]._replace(needs={"no_such_module": "its-package", "numpy": "numpy"})
    assert why_not(entry) == "not installed: pip install its-package"
    assert why_not(ENGINES["npbert"]) is None


def test_torch_compile_needs_a_compiler(monkeypatch):
    monkeypatch.setattr(engines.shutil, "which", lambda name: None)
    entry = ENGINES["torch-compile"]._replace(needs={})
    assert why_not(entry) == "no C++ compiler on the path, which torch.compile needs"


def test_every_engine_is_compared_with_an_npbert_that_computes_the_same():
    for entry in ENGINES.values():
        assert ENGINES[entry.reference].activation == entry.activation
        assert set(entry.works) <= {"shape", "ragged", "text"}


def test_an_entry_makes_its_engine():
    assert type(ENGINES["npbert"].make()).__name__ == "Npbert"
