"""The files that go with a converted model."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from weights.model_files import CONFIG

from npbert.errors import ModelFileError
from npbert.presets import carry
from npbert.presets.carry import carried

HF = "hugging_face"


def fill(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(f"content of {name}")
    return folder


def test_hugging_face_to_itself(tmp_path: Path):
    fill(tmp_path, "tokenizer.json", "1_Pooling/config.json", "model.safetensors", "notes.txt")
    expected = {"tokenizer.json": b"content of tokenizer.json"}
    assert carried(tmp_path, HF, HF, CONFIG) == expected
    kinds = {"": "Transformer", "pool": "Pooling", "2_Dense": "Dense", "3_Normalize": "Normalize"}
    modules = json.dumps([{"path": path, "type": f"st.{kind}"} for path, kind in kinds.items()])
    (tmp_path / "modules.json").write_text(modules)
    fill(tmp_path, "pool/config.json", "2_Dense/config.json", "2_Dense/model.safetensors")
    names = ("pool/config.json", "2_Dense/config.json", "2_Dense/model.safetensors")
    expected |= {"modules.json": modules.encode()}
    expected |= {name: f"content of {name}".encode() for name in names}
    assert carried(tmp_path, HF, HF, CONFIG) == expected


def test_keras_to_itself(tmp_path: Path):
    names = ["tokenizer.json", "preprocessor.json", "task.json", "task.weights.h5"]
    names.append("assets/tokenizer/vocabulary.txt")
    fill(tmp_path, *names, "vocab.txt", "model.weights.h5")
    assert set(carried(tmp_path, "keras", "keras", CONFIG)) == set(names)


def test_keras_to_hugging_face(tmp_path: Path):
    assert carried(tmp_path, "keras", HF, CONFIG) == {}
    fill(tmp_path, "assets/tokenizer/vocabulary.txt")
    settings = {"lowercase": True, "strip_accents": False}
    (tmp_path / "tokenizer.json").write_text(json.dumps({"config": settings}))
    found = carried(tmp_path, "keras", HF, CONFIG)
    assert found["vocab.txt"] == b"content of assets/tokenizer/vocabulary.txt"
    assert json.loads(found["tokenizer_config.json"]) == {
        "do_lower_case": True,
        "strip_accents": False,
        "model_max_length": 7,
        "tokenizer_class": "BertTokenizer",
    }


def test_hugging_face_to_keras(tmp_path: Path):
    """Both call a file tokenizer.json, and mean different things by it."""
    assert carried(fill(tmp_path, "tokenizer.json", "vocab.txt"), HF, "keras", CONFIG) == {}


@pytest.mark.skipif(sys.platform == "win32", reason="links")
def test_links_stay_inside(tmp_path: Path):
    fill(tmp_path, "secret", "models--org--name/blobs/1234")
    folder = tmp_path / "models--org--name" / "snapshots" / "main"
    fill(folder, "tokenizer_config.json")
    (folder / "vocab.txt").symlink_to("../../blobs/1234")
    (folder / "tokenizer.json").symlink_to("tokenizer_config.json")
    found = carried(folder, HF, HF, CONFIG)
    assert found["vocab.txt"] == b"content of models--org--name/blobs/1234"
    assert found["tokenizer.json"] == b"content of tokenizer_config.json"
    (folder / "modules.json").symlink_to(tmp_path / "secret")
    with pytest.raises(ModelFileError, match="a link that leads out of it"):
        carried(folder, HF, HF, CONFIG)


def test_no_plain_file(tmp_path: Path):
    (tmp_path / "vocab.txt").mkdir()
    with pytest.raises(ModelFileError, match="not a regular file"):
        carried(tmp_path, HF, HF, CONFIG)


def test_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(carry, "MAX_BYTES", 5)
    with pytest.raises(ModelFileError, match="larger than 5 bytes"):
        carried(fill(tmp_path, "vocab.txt"), HF, HF, CONFIG)
