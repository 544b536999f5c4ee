"""Models on Kaggle, with a client of our own in kagglehub's place.

It keeps files as kagglehub does. kagglehub itself is run by ``tests/live/test_handles.py``.
"""

from __future__ import annotations

import logging
import shutil
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from weights.model_files import assert_same, shard_h5

from npbert.errors import ConfigError, DependencyError, ModelFileError, UnsupportedModelError
from npbert.presets import load_preset
from npbert.presets.hub_errors import UnreachableError
from npbert.presets.hubs import ALONGSIDE, download, on_disk
from npbert.presets.kaggle_hub import KaggleHub

from .model_folders import copy

NAME = "org/bert/keras/tiny"
HANDLE = f"kaggle://{NAME}/7"
FILES = ["config.json", *ALONGSIDE["keras"], "model.weights.h5"]


class HTTPError(OSError):
    def __init__(self, status: int) -> None:
        super().__init__(f"{status} Client Error.")
        self.response = SimpleNamespace(status_code=status)


class Client(ModuleType):
    """What npbert uses of kagglehub: `model_download`."""

    def __init__(self, has: Path, cache: Path) -> None:
        super().__init__("kagglehub")
        self.has, self.cache, self.newest = has, cache, 7
        self.raises: dict[str, Exception] = {}
        self.log: list[str] = []

    def model_download(self, handle: str, path: str) -> str:
        print("a message of the client's")
        logging.getLogger("kagglehub").info("another one")
        self.log.append(f"{handle} {path}")
        parts = handle.split("/")
        version = parts[4] if len(parts) == 5 else str(self.newest)
        folder = self.folder("/".join(parts[:4]))
        if path in self.raises:
            raise self.raises[path]
        if not (self.has / path).is_file():
            raise HTTPError(404)
        for target in (folder / version / path, folder / ".complete" / version / path):
            target.parent.mkdir(parents=True, exist_ok=True)
        (folder / ".complete" / version / f"{path}.complete").touch()
        return str(shutil.copy(self.has / path, folder / version / path))

    def folder(self, name: str = NAME) -> Path:
        return self.cache / "models" / name

    @property
    def files(self) -> list[str]:
        return [line.split()[1] for line in self.log]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Client:
    made = Client(copy("keras_tiny", tmp_path), tmp_path / "cache")
    monkeypatch.setitem(sys.modules, "kagglehub", made)
    monkeypatch.setenv("KAGGLEHUB_CACHE", str(made.cache))
    return made


def test_downloaded_once(
    client: Client, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    preset = load_preset(HANDLE)
    assert (preset.name, preset.kind) == (HANDLE, "keras")
    assert preset.path == client.folder() / "7"
    assert preset.weights is not None
    assert client.files == FILES
    assert capsys.readouterr().out == ""
    monkeypatch.setitem(sys.modules, "kagglehub", None)  # from now on it cannot be imported
    assert load_preset(HANDLE).path == preset.path
    assert on_disk(HANDLE) == preset.path


def test_a_built_in_name(client: Client):
    preset = load_preset("bert_tiny_en_uncased_sst2")
    assert preset.path == client.folder("keras/bert/keras/bert_tiny_en_uncased_sst2") / "5"
    assert preset.name == "bert_tiny_en_uncased_sst2"


def test_a_sentence_embedder_of_keras_hub(client: Client):
    assert load_preset("all_minilm_l6_v2_en", load_weights=False).kind == "keras"
    assert client.files == FILES[:-1]
    assert client.log[0].startswith("keras/sentence-transformers/keras/all_minilm_l6_v2_en/1 ")


def test_without_a_version_the_newest(client: Client):
    first = load_preset(f"kaggle://{NAME}").path
    assert first == client.folder() / "7"
    assert client.log[:2] == [f"{NAME} config.json", f"{NAME}/7 metadata.json"]
    client.newest = 12
    assert load_preset(f"kaggle://{NAME}").path == first  # of those on disk
    assert download(f"kaggle://{NAME}") == client.folder() / "12"
    assert load_preset(f"kaggle://{NAME}").path == client.folder() / "12"
    assert load_preset(HANDLE).path == first


def test_another_architecture_costs_its_config_alone(client: Client):
    config = client.has / "config.json"
    config.write_text(config.read_text().replace("BertBackbone", "DistilBertBackbone"))
    with pytest.raises(UnsupportedModelError, match="holds a DistilBertBackbone"):
        load_preset(HANDLE)
    assert client.files == ["config.json"]


def test_a_file_without_its_marker_is_not_whole(client: Client):
    load_preset(HANDLE)
    marker = client.folder() / ".complete" / "7" / "model.weights.h5.complete"
    marker.unlink()
    assert on_disk(HANDLE) is None
    load_preset(HANDLE)
    assert client.files == [*FILES, "model.weights.h5"]


def test_all_files_at_once(client: Client):
    """As ``kagglehub.model_download(HANDLE)`` leaves them: one marker for all."""
    shutil.copytree(client.has, client.folder() / "7")
    (client.folder() / "7.complete").touch()
    assert load_preset(HANDLE).path == client.folder() / "7"
    assert load_preset(f"kaggle://{NAME}").path == client.folder() / "7"
    assert client.log == []


def test_a_mounted_model(client: Client, monkeypatch: pytest.MonkeyPatch):
    """As in a notebook of Kaggle's: no cache, and another error for a file that is not there."""

    def mounted(handle: str, path: str) -> str:
        if not (client.has / path).is_file():
            raise ValueError(f"'{path}' is not present in the model files.")
        return str(client.has / path)

    monkeypatch.setattr(client, "model_download", mounted)
    assert load_preset(HANDLE).path == client.has
    assert not client.cache.exists()


@pytest.mark.parametrize(
    ("file", "keep"),
    [("config.json", 100), ("metadata.json", 40), ("model.weights.h5", 50_000)],
)
def test_what_the_client_wrongly_took_for_whole(client: Client, file: str, keep: int):
    whole = (client.has / file).read_bytes()
    (client.has / file).write_bytes(whole[:keep])
    message = rf"the download of {file} of '{HANDLE}' did not come to its end"
    with pytest.raises(ModelFileError, match=message):
        load_preset(HANDLE)
    assert not (client.folder() / "7" / file).exists()
    assert not (client.folder() / ".complete" / "7" / f"{file}.complete").exists()
    (client.has / file).write_bytes(whole)
    assert load_preset(HANDLE).weights is not None


def test_an_hdf5_file_with_something_behind_it(client: Client):
    with (client.has / "model.weights.h5").open("ab") as file:
        file.write(b"the same again")
    with pytest.raises(ModelFileError, match=r"did not come(.|\n)*not a whole HDF5 file"):
        load_preset(HANDLE)


def test_several_files_of_weights(client: Client):
    whole = client.has / "model.weights.h5"
    expected = load_preset(client.has).weights
    shard_h5(whole, client.has / "model.weights.json", 3)
    whole.unlink()
    loaded = load_preset(HANDLE).weights
    assert expected is not None
    assert loaded is not None
    assert_same(loaded, expected)
    shards = [f"model_{i:05}.weights.h5" for i in range(3)]
    assert client.files[-5:] == ["model.weights.h5", "model.weights.json", *shards]
    client.log.clear()
    assert load_preset(HANDLE).weights is not None
    assert client.log == []


def test_a_list_is_json_too(client: Client, tmp_path: Path):
    client.has = copy("hf_tiny", tmp_path)
    (client.has / "modules.json").write_text("[1, 2]")
    assert load_preset(HANDLE).kind == "hugging_face"
    assert "model.safetensors" in client.files


# -- errors ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "kind", "what"),
    [
        (HTTPError(403), ModelFileError, "Kaggle does not let this account read"),
        (HTTPError(500), UnreachableError, "Kaggle answered with an error"),
        (ConnectionError("refused"), UnreachableError, "Kaggle does not answer"),
        (OSError("cut"), ModelFileError, "did not come to its end"),
    ],
)
def test_errors_of_the_client(client: Client, error: Exception, kind: type, what: str):
    client.raises["config.json"] = error
    with pytest.raises(kind, match=what) as raised:
        load_preset(HANDLE)
    assert raised.value.where == f"https://www.kaggle.com/models/{NAME}/7"
    assert raised.value.__cause__ is error


def test_no_such_model(client: Client):
    (client.has / "config.json").unlink()
    with pytest.raises(ModelFileError, match=f"Kaggle has no config.json for '{HANDLE}'"):
        load_preset(HANDLE)


def test_without_a_connection_a_begun_file_is_no_file(client: Client):
    load_preset(HANDLE)
    begun = client.folder() / "7" / "tokenizer.json"
    begun.write_text("{")
    (client.folder() / ".complete" / "7" / "npbert.absent").unlink()
    client.raises["tokenizer.json"] = ConnectionError("refused")
    with pytest.raises(UnreachableError):
        load_preset(HANDLE)
    begun.unlink()
    with pytest.warns(UserWarning, match=r"whether .* has tokenizer.json, assets/tokenizer/"):
        assert load_preset(HANDLE).weights is not None


def test_kagglehub_is_not_installed(client: Client, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "kagglehub", None)
    with pytest.raises(DependencyError) as error:
        load_preset(HANDLE)
    assert error.value.what == "models from Kaggle need the package kagglehub."
    assert error.value.fix == "pip install 'npbert[kaggle]'"


@pytest.mark.parametrize(
    "name",
    [
        *("", "org", "org/bert/keras", f"{NAME}/7/8", "org/bert/keras/", "org//keras/tiny"),
        *(f"{NAME}/0", f"{NAME}/-1", f"{NAME}/new", f"{NAME}/1.0", "../bert/keras/tiny/1"),
        *("org/bert/keras/..", "org/bert/keras/a b", "org/bert/keras/a\\b", "org/bert/keras/a\n"),
    ],
)
def test_a_handle_that_is_none(name: str):
    with pytest.raises(ConfigError, match="this is not a handle of Kaggle") as error:
        KaggleHub(name)
    assert error.value.received == repr(f"kaggle://{name}")


def test_notes_that_cannot_be_read(client: Client):
    load_preset(HANDLE)
    (client.folder() / ".complete" / "7" / "npbert.absent").write_bytes(b"\xff")
    client.log.clear()
    assert load_preset(HANDLE).weights is not None
    assert client.files == [name for name in ALONGSIDE["keras"] if name != "metadata.json"]
