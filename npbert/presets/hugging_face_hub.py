"""Models on Hugging Face's hub, through huggingface_hub 1.x or 2.x.

The client keeps ``blobs/HASH`` and, for each commit, ``snapshots/COMMIT/FILE`` as links to them
(copies where links do not exist). A blob gets its name once it is whole; that a commit lacks a file
is kept under ``.no_exist``. The client reads its settings from the environment when it is imported:
HF_HUB_OFFLINE, HF_HOME, HF_HUB_CACHE, HF_ENDPOINT, HF_TOKEN and others.

Source: huggingface_hub/file_download.py, ``hf_hub_download`` and ``try_to_load_from_cache``.
"""

from __future__ import annotations

import hashlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from npbert.errors import ConfigError, DependencyError, ModelFileError
from npbert.presets.hub_errors import Asked, brief, explain, no_model

if TYPE_CHECKING:
    from npbert.presets.hubs import Known

_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_TOKEN: Final = "log in with 'hf auth login' or set HF_TOKEN"


class HuggingFaceHub:
    """One model on the hub.

    Args:
        name: ``ORG/MODEL``.

    Raises:
        DependencyError: huggingface_hub is not installed.
        ConfigError: the name is not one that the hub could have.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._client = _client()
        # The commit of the first file; the others must be of the same one.
        self._commit: str | None = None
        try:
            self._client.try_to_load_from_cache(name, "config.json")
        except ValueError as error:  # HFValidationError
            raise ConfigError(
                "this is not a handle of Hugging Face.",
                received=repr(f"hf://{name}"),
                expected="hf://ORG/MODEL, such as 'hf://google-bert/bert-base-uncased'",
                fix=brief(error),
            ) from None

    def known(self, file: str) -> Known:
        """From disk alone: where the file is, whole; or that the model has none; or neither."""
        found = self._client.try_to_load_from_cache(self._name, file, revision=self._commit)
        if isinstance(found, str):
            return self._pin(Path(found), file)
        return "unknown" if found is None else "absent"

    def fetch(self, file: str) -> Path | None:
        """The file, fetched if need be; None if the model has none.

        Raises:
            UnreachableError, ModelFileError: see `npbert.presets.hub_errors`.
        """
        try:
            path = self._client.hf_hub_download(self._name, file, revision=self._commit)
        except Exception as error:  # of a dozen classes, in two families of HTTP libraries
            kinds = {kind.__name__ for kind in type(error).__mro__}
            if "EntryNotFoundError" in kinds and "LocalEntryNotFoundError" not in kinds:
                return None
            raise explain(error, self._asked(file)) from error
        return self._pin(Path(path), file)

    def no_config(self) -> ModelFileError:
        """The error for a model that has no config.json."""
        return no_model(self._asked("config.json"), "a model without that file")

    def _pin(self, path: Path, file: str) -> Path:
        """Take every later file from the commit that this one is of."""
        snapshot = path.parents[file.count("/")].name
        if _COMMIT.fullmatch(snapshot):
            self._commit = snapshot
        return path

    def _asked(self, file: str) -> Asked:
        page = f"{self._client.constants.ENDPOINT}/{self._name}"
        return Asked("Hugging Face", f"hf://{self._name}", file, page, _TOKEN)


def check_hashes(directory: Path) -> int:
    """Compare every file of a snapshot with the hash that its blob is named after.

    Returns:
        how many files have such a name; none where the cache has no links.

    Raises:
        ModelFileError: a file is not what the hub sent.
    """
    checked = 0
    for link in sorted(p for p in directory.rglob("*") if p.is_symlink() and p.is_file()):
        # One step only: a blob may itself be a link, to a store with names of another kind.
        expected = link.readlink().name
        if not re.fullmatch(r"[0-9a-f]{40}|[0-9a-f]{64}", expected):
            continue
        if (found := _digest(link, expected)) != expected:
            raise ModelFileError(
                f"{link.name} in the cache is not the file that the hub has.",
                where=link.resolve(),
                received=found,
                expected=expected,
                fix="remove that file, and download the model again",
            )
        checked += 1
    return checked


def _digest(path: Path, like: str) -> str:
    """SHA-256 of a large file; of a small one, git's SHA-1, which begins with its size."""
    if len(like) == 40:
        content = b"blob %d\0" % path.stat().st_size + path.read_bytes()
        return hashlib.sha1(content, usedforsecurity=False).hexdigest()
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _client() -> Any:
    try:
        import huggingface_hub
    except ImportError as error:
        raise DependencyError(
            "models from hf:// need the package huggingface_hub.",
            received=brief(error),
            fix="pip install huggingface_hub",
        ) from error
    return huggingface_hub
