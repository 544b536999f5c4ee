"""What a hub's client raises, as errors that say what to do.

The clients (kagglehub, huggingface_hub) raise their own classes, those of the HTTP library under
them, which changed from one version to the next, and those of Python. So an exception is judged by
what all of them have: the response's status, the names of its classes, and its cause.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from npbert.errors import ModelFileError

_OFFLINE: Final = {"OfflineModeIsEnabled"}
_NO_ANSWER: Final = {"ConnectionError", "ConnectError", "Timeout", "TimeoutException"}
_BROKEN: Final = {"ReadTimeout"}  # begun, though it is a timeout
_NOT_HERE: Final = {"LocalEntryNotFoundError"}  # huggingface_hub: the hub failed, nothing on disk


class UnreachableError(ModelFileError):
    """No answer from a hub, or none is wanted: what is on disk is all there is."""


class Asked(NamedTuple):
    """What a hub was asked for.

    Args:
        hub: the hub's name.
        handle: the model, as the user wrote it.
        file: the name of the file.
        page: where a person sees the model.
        token: how to say who one is.
    """

    hub: str
    handle: str
    file: str
    page: str
    token: str


def explain(error: Exception, asked: Asked) -> ModelFileError:
    """The error to raise in place of what a client raised."""
    chain = list(_chain(error))
    names = {kind.__name__ for link in chain for kind in type(link).__mro__}
    if names & _OFFLINE:
        return _offline(asked)
    status = next((code for link in chain if (code := _status(link)) is not None), None)
    if status is None:
        no_answer = names & _NOT_HERE or (names & _NO_ANSWER and not names & _BROKEN)
        return _unreachable(asked, chain[-1]) if no_answer else _cut_off(asked, error)
    private = "RepositoryNotFoundError" in names and "GatedRepoError" not in names
    if status == 404 or private:  # Hugging Face answers 401 for what does not exist
        return no_model(asked, status)
    return _forbidden(asked, status) if status in (401, 403) else _refused(asked, status)


def no_model(asked: Asked, received: object) -> ModelFileError:
    """The hub has no such model, or not this file that every model has."""
    return ModelFileError(
        f"{asked.hub} has no {asked.file} for {asked.handle!r}.",
        where=asked.page,
        received=received,
        expected="the handle of a model that exists, and may be read",
        fix=f"check the spelling; if the model is private, {asked.token}",
    )


def _forbidden(asked: Asked, status: int) -> ModelFileError:
    return ModelFileError(
        f"{asked.hub} does not let this account read {asked.handle!r}.",
        where=asked.page,
        received=f"{status}, for {asked.file}",
        expected="an open model, or an account that has accepted the model's licence",
        fix=f"check the spelling; accept the licence on that page, and {asked.token}",
    )


def _refused(asked: Asked, status: int) -> ModelFileError:
    kind = UnreachableError if status >= 500 or status == 429 else ModelFileError
    return kind(
        f"{asked.hub} answered with an error.",
        where=asked.page,
        received=f"{status}, for {asked.file}",
        expected="the file",
        fix="try again later",
    )


def _offline(asked: Asked) -> ModelFileError:
    return UnreachableError(
        f"HF_HUB_OFFLINE is set, and {asked.file} of {asked.handle!r} is not on disk.",
        where=asked.page,
        received="HF_HUB_OFFLINE",
        expected="a model that is in the cache",
        fix=f"unset HF_HUB_OFFLINE, or copy a cache in which 'npbert download {asked.handle}' ran",
    )


def _unreachable(asked: Asked, cause: BaseException) -> ModelFileError:
    return UnreachableError(
        f"{asked.hub} does not answer, and {asked.file} of {asked.handle!r} is not on disk.",
        where=asked.page,
        received=brief(cause),
        expected="a connection, or a model that is in the cache",
        fix="check the connection and the proxy's settings, and try again",
    )


def _cut_off(asked: Asked, error: BaseException) -> ModelFileError:
    return ModelFileError(
        f"the download of {asked.file} of {asked.handle!r} did not come to its end.",
        where=asked.page,
        received=brief(error),
        expected="the whole file",
        fix="try again: files that arrived whole are kept, and a part of one is never used",
    )


def brief(error: BaseException) -> str:
    """The kind of an exception and the start of what it says, on one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split()):.200}"


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """An exception and its causes, the last of which knows what happened."""
    for _ in range(8):
        if error is None:
            return
        yield error
        error = error.__cause__


def _status(error: BaseException) -> int | None:
    status = getattr(getattr(error, "response", None), "status_code", None)
    return status if isinstance(status, int) else None
