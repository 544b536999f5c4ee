"""What the clients of the hubs raise, and what becomes of it."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from npbert.errors import ModelFileError
from npbert.presets.hub_errors import Asked, UnreachableError, brief, explain, no_model

ASKED = Asked("The Hub", "hub://a/b", "config.json", "https://hub/a/b", "set HUB_TOKEN")


def _client_error(name: str, *bases: type[Exception], status: int | None = None) -> Exception:
    """An exception of a class that a client could have, with a response if there was one."""
    error = type(name, bases or (Exception,), {})("what it says")
    if status is not None:
        error.response = SimpleNamespace(status_code=status)  # type: ignore[attr-defined]
    return error


def _caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


REPOSITORY = type("RepositoryNotFoundError", (Exception,), {})
NOT_HERE = type("LocalEntryNotFoundError", (FileNotFoundError,), {})

CASES = [
    (_client_error("KaggleApiHTTPError", status=404), "The Hub has no config.json"),
    (_client_error("RepositoryNotFoundError", status=401), "The Hub has no config.json"),
    (_client_error("GatedRepoError", REPOSITORY, status=403), "does not let this account read"),
    (_client_error("KaggleApiHTTPError", status=403), "does not let this account read"),
    (_client_error("KaggleApiHTTPError", status=401), "does not let this account read"),
    (_client_error("HfHubHTTPError", status=418), "The Hub answered with an error"),
    (_caused(NOT_HERE("x"), _client_error("HfHubHTTPError", status=403)), "does not let"),
    (_client_error("ChunkedEncodingError", OSError), "did not come to its end"),
    (_client_error("ReadTimeout", type("TimeoutException", (OSError,), {})), "did not come to"),
    (OSError(28, "No space left on device"), "did not come to its end"),
]

UNREACHABLE = [
    (_client_error("ConnectionError", OSError), "The Hub does not answer"),
    (_client_error("ConnectTimeout", type("Timeout", (OSError,), {})), "The Hub does not answer"),
    (_caused(NOT_HERE("x"), _client_error("ReadTimeout")), "The Hub does not answer"),
    (_caused(NOT_HERE("x"), _client_error("HfHubHTTPError", status=503)), "answered with an error"),
    (
        _caused(NOT_HERE("x"), _client_error("OfflineModeIsEnabled", ConnectionError)),
        "HF_HUB_OFFLINE is set, and config.json of 'hub://a/b' is not on disk",
    ),
]


@pytest.mark.parametrize(("error", "what"), [*CASES, *UNREACHABLE])
def test_what_a_client_raises(error: Exception, what: str):
    explained = explain(error, ASKED)
    assert what in explained.what
    assert "hub://a/b" in str(explained) or "config.json" in str(explained)
    assert explained.where == "https://hub/a/b"
    assert explained.received
    assert explained.expected
    assert explained.fix


def test_no_answer_is_told_from_a_bad_one():
    assert all(isinstance(explain(error, ASKED), UnreachableError) for error, _ in UNREACHABLE)
    assert not any(isinstance(explain(error, ASKED), UnreachableError) for error, _ in CASES)
    assert issubclass(UnreachableError, ModelFileError)


def test_one_in_full():
    assert str(no_model(ASKED, 404)) == (
        "The Hub has no config.json for 'hub://a/b'.\n"
        "  where:    https://hub/a/b\n"
        "  received: 404\n"
        "  expected: the handle of a model that exists, and may be read\n"
        "  fix:      check the spelling; if the model is private, set HUB_TOKEN"
    )


def test_causes_in_a_circle_end():
    first, second = OSError("first"), OSError("second")
    first.__cause__, second.__cause__ = second, first
    assert "did not come to its end" in explain(first, ASKED).what


def test_a_long_message_is_cut():
    assert brief(OSError("a\n  b" + "x" * 999)) == f"OSError: a b{'x' * 197}"
