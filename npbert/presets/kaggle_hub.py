"""Models on Kaggle, through kagglehub.

The client writes a file under its own name and, once it is whole, an empty marker in ``.complete``:
only the marker says that a file is whole, and a begun one is resumed. A version never changes.

    KAGGLEHUB_CACHE/models/ORG/MODEL/keras/VARIANT/VERSION/FILE
                                                  /.complete/VERSION/FILE.complete
                                                  /VERSION.complete     all files, fetched at once

Beside the markers npbert keeps ``npbert.absent``: the names that the version has not, so that they
are asked for once. What is on disk is found without importing the client.

Source: kagglehub/models.py, ``model_download``; kagglehub/cache.py for the layout above.
"""

from __future__ import annotations

import contextlib
import logging
import os
import re
import sys
from collections.abc import Generator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from npbert.errors import ConfigError, DependencyError, ModelFileError, NpbertError
from npbert.presets.hub_errors import Asked, brief, explain, no_model
from npbert.weights.files import HDF5_MAGIC, open_regular
from npbert.weights.safetensors_file import read_header
from npbert.weights.strict_json import parse_object

if TYPE_CHECKING:
    from npbert.presets.hubs import Known

_PART: Final = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_VERSION: Final = re.compile(r"[1-9][0-9]{0,8}")
_ABSENT: Final = "npbert.absent"
_MAX_JSON_BYTES: Final = 64_000_000
_TOKEN: Final = "set KAGGLE_API_TOKEN to a token of kaggle.com/settings"


class KaggleHub:
    """One model on Kaggle.

    Args:
        name: ``ORG/MODEL/keras/VARIANT``, with or without ``/VERSION``. Without it, the newest one
            on disk is meant; where there is none, the newest on Kaggle.

    Raises:
        ConfigError: the name has another form.
    """

    def __init__(self, name: str) -> None:
        parts = name.split("/")
        self._name = "/".join(parts[:4])
        self._version = parts[4] if len(parts) == 5 else None
        if not _well_formed(parts):
            raise ConfigError(
                "this is not a handle of Kaggle.",
                received=repr(f"kaggle://{name}"),
                expected="kaggle://ORG/MODEL/keras/VARIANT or kaggle://ORG/MODEL/keras/VARIANT/1",
                fix="copy it from the model's page, or use a built-in name such as 'bert_base_en'",
            )
        self._asked_for = f"kaggle://{name}"

    def known(self, file: str) -> Known:
        """From disk alone: where the file is, whole; or that the model has none; or neither."""
        version = self._version or self._newest_on_disk()
        if version is None:
            return "unknown"
        path = self._folder() / version / file
        all_at_once = (self._folder() / f"{version}.complete").exists()
        if (all_at_once or self._marker(version, file).exists()) and path.is_file():
            self._version = version
            return path
        return "absent" if all_at_once or file in self._absent(version) else "unknown"

    def fetch(self, file: str) -> Path | None:
        """The file, fetched if need be; None if the model has none.

        Raises:
            UnreachableError, ModelFileError: see `npbert.presets.hub_errors`.
            DependencyError: kagglehub is not installed.
        """
        client = _client()
        handle = f"{self._name}/{self._version}" if self._version else self._name
        try:
            with _quiet():
                path = Path(client.model_download(handle, file))
        except Exception as error:  # of requests, urllib3, kagglehub, and ValueError
            if _is_absent(error):
                self._remember_absent(file)
                return None
            raise explain(error, self._asked(file)) from error
        self._pin(path, file)
        self._check_whole(path, file)
        return path

    def no_config(self) -> ModelFileError:
        """The error for a model that has no config.json."""
        return no_model(self._asked("config.json"), "404")

    def _pin(self, path: Path, file: str) -> None:
        """Take every later file from the version that this one is of."""
        version = path.parents[file.count("/")].name
        if self._version is None and _VERSION.fullmatch(version):
            self._version = version

    def _check_whole(self, path: Path, file: str) -> None:
        """Look at what the client took for whole: it trusts a server that stops without a word."""
        try:
            _look_at(path)
        except NpbertError as error:
            if self._version is not None:
                self._marker(self._version, file).unlink(missing_ok=True)
            path.unlink(missing_ok=True)
            raise explain(error, self._asked(file)) from error

    def _folder(self) -> Path:
        cache = os.environ.get("KAGGLEHUB_CACHE") or os.path.expanduser("~/.cache/kagglehub")
        return Path(cache, "models", *self._name.split("/"))

    def _markers(self, version: str) -> Path:
        return self._folder() / ".complete" / version

    def _marker(self, version: str, file: str) -> Path:
        return self._markers(version) / f"{file}.complete"

    def _newest_on_disk(self) -> str | None:
        folder = self._folder()
        names = [path.parent.name for path in folder.glob("*/config.json")]
        versions = [name for name in names if _VERSION.fullmatch(name)]
        whole = [
            version
            for version in versions
            if self._marker(version, "config.json").exists()
            or (folder / f"{version}.complete").exists()
        ]
        return max(whole, key=int, default=None)

    def _absent(self, version: str) -> list[str]:
        try:
            return (self._markers(version) / _ABSENT).read_text("utf-8").splitlines()
        except (OSError, UnicodeDecodeError):
            return []

    def _remember_absent(self, file: str) -> None:
        """Only beside the client's markers: elsewhere (a Kaggle notebook) there is no cache."""
        if self._version is None:
            return
        notes = self._markers(self._version) / _ABSENT
        with contextlib.suppress(OSError), notes.open("a", encoding="utf-8") as out:
            out.write(f"{file}\n")

    def _asked(self, file: str) -> Asked:
        version = f"/{self._version}" if self._version else ""
        page = f"https://www.kaggle.com/models/{self._name}{version}"
        return Asked("Kaggle", self._asked_for, file, page, _TOKEN)


def _well_formed(parts: list[str]) -> bool:
    named = len(parts) in (4, 5) and all(_PART.fullmatch(part) for part in parts[:4])
    return named and (len(parts) == 4 or bool(_VERSION.fullmatch(parts[4])))


def _is_absent(error: Exception) -> bool:
    """The answers that mean: the model has no such file."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status == 404 or "is not present in the model files" in str(error)


def _look_at(path: Path) -> None:
    """Refuse JSON that does not parse, HDF5 or safetensors that does not have its own length.

    Raises:
        NpbertError: the file is not whole.
    """
    with open_regular(path) as file:
        if path.suffix == ".json":  # which may hold a list; the strict reader takes objects
            text = b'{"file":' + file.read(_MAX_JSON_BYTES) + b"}"
            parse_object(text, where=path, error=ModelFileError)
        elif path.suffix == ".safetensors":
            read_header(file, path)
        elif path.suffix == ".h5":
            _check_hdf5_length(file.read(96), path)


def _check_hdf5_length(head: bytes, path: Path) -> None:
    """The superblock, versions 0 to 3, has the end of the file as its third address.

    Source: HDF5 File Format Specification 3.0, II.A, "Format Signature and Superblock".
    """
    version, size = head[8:9], path.stat().st_size
    start = {b"\0": 40, b"\1": 44, b"\2": 28, b"\3": 28}.get(version, 0)
    end = int.from_bytes(head[start : start + 8], "little")
    if not head.startswith(HDF5_MAGIC) or (start and end != size):
        raise ModelFileError("not a whole HDF5 file.", where=path, received=size, expected=end)


@contextlib.contextmanager
def _quiet() -> Generator[None]:
    """Keep the client's messages off stdout, where a command's result goes; its bars stay."""
    logger = logging.getLogger("kagglehub")
    level = logger.level
    logger.setLevel(logging.WARNING)
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    finally:
        logger.setLevel(level)


def _client() -> Any:
    try:
        import kagglehub
    except ImportError as error:
        raise DependencyError(
            "models from Kaggle need the package kagglehub.",
            received=brief(error),
            fix="pip install 'npbert[kaggle]'",
        ) from error
    return kagglehub
