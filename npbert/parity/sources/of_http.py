"""Vectors of a server on this machine: ``/v1/embeddings`` as OpenAI has it, ``/embed`` as TEI does.

Only loopback addresses are asked, without proxies and without following redirects: nothing of the
texts leaves the machine.
"""

from __future__ import annotations

import ipaddress
import json
import socket
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

import numpy as np

from npbert.errors import ConfigError, ModelFileError
from npbert.parity.sources.base import Base, in_batches
from npbert.parity.types import Array, Stages

SECONDS: Final = 120.0
MOST_BYTES: Final = 256_000_000


class HttpSource(Base):
    """A server's vectors.

    Args:
        url: ``http://127.0.0.1:PORT/PATH``; what follows ``#`` is the model's name.
        name: as the user wrote it.
        seconds: that one answer may take.

    Raises:
        ConfigError: the address is not a loopback one, or the path none that is known.
    """

    kind = "http"

    def __init__(self, url: str, name: str | None = None, *, seconds: float = SECONDS) -> None:
        parts = urlsplit(url)
        _check_address(parts, url)
        self._tei = parts.path.rstrip("/") == "/embed"
        if not self._tei and not parts.path.rstrip("/").endswith("/embeddings"):
            raise ConfigError(
                "the path is of no interface that is known.",
                where=url,
                received=parts.path or "none",
                expected="/v1/embeddings (OpenAI's), or /embed (text-embeddings-inference)",
            )
        super().__init__(name or url, environment={"server": f"http://{parts.netloc}"})
        self._url = parts._replace(fragment="").geturl()
        self._model, self._seconds = parts.fragment, seconds

    def encode(self, texts: Sequence[str]) -> Stages | None:
        if not texts:
            return None
        rows = [row for some in in_batches(texts) for row in self._ask(some)]
        try:
            return {"text.vector": np.array(rows, np.float32)}
        except ValueError as error:
            raise self._wrong("vectors of different lengths") from error

    def _ask(self, texts: list[str]) -> list[Array]:
        body: dict[str, Any] = {"inputs": texts}
        if not self._tei:
            body = {"input": texts, "model": self._model or "default", "encoding_format": "float"}
        answer = self._post(body)
        try:
            found = answer
            if not self._tei:
                found = [each["embedding"] for each in sorted(answer["data"], key=_index)]
            rows = [np.array(row, np.float32) for row in found]
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise self._wrong(f"{json.dumps(answer)[:80]}...") from error
        if len(rows) != len(texts) or not all(row.ndim == 1 and row.size for row in rows):
            raise self._wrong(f"{len(rows)} vectors for {len(texts)} texts")
        return rows

    def _post(self, body: dict[str, Any]) -> Any:
        request = urllib.request.Request(
            self._url,
            json.dumps(body).encode(),
            {"Content-Type": "application/json", "Accept": "application/json"},
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), _NoRedirect())
        try:
            with opener.open(request, timeout=self._seconds) as response:
                content: bytes = response.read(MOST_BYTES + 1)
        except urllib.error.HTTPError as error:
            with error:
                said = error.read(200).decode("utf-8", "replace").strip()
            raise self._wrong(f"HTTP {error.code} {error.reason}: {said}") from None
        except OSError as error:  # a URLError is one, and so is a timeout
            raise ModelFileError(
                "the server does not answer.",
                where=self._url,
                received=getattr(error, "reason", None) or error,
                fix="start it, and check the port",
            ) from error
        if len(content) > MOST_BYTES:
            raise self._wrong(f"more than {MOST_BYTES:,} bytes")
        try:
            return json.loads(content)
        except ValueError as error:
            raise self._wrong(f"{content[:80]!r}") from error

    def _wrong(self, received: str) -> ModelFileError:
        return ModelFileError(
            "the server's answer is not one vector for each text.",
            where=self._url,
            received=received,
            fix="try it with curl; the model's name goes behind the address: ...#NAME",
        )


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect could lead off the machine: it becomes an `urllib.error.HTTPError`."""

    def redirect_request(self, *_: Any) -> None:
        return None


def open_source(rest: str, name: str) -> HttpSource:
    """``//127.0.0.1:PORT/v1/embeddings[#MODEL]``"""
    return HttpSource(f"http:{rest}", name)


def _index(entry: Any) -> int:
    return int(entry["index"])


def _check_address(parts: SplitResult, url: str) -> None:
    try:
        loopback = parts.scheme == "http" and parts.port != 0 and _is_loopback(parts.hostname or "")
    except ValueError:  # of the port
        loopback = False
    if not loopback:
        raise ConfigError(
            "only servers on this machine are asked.",
            where=url,
            received=parts.netloc or "no address",
            expected="http://127.0.0.1:PORT/v1/embeddings",
            fix="forward a port to the server, or record its vectors in a .npz file",
        )


def _is_loopback(host: str) -> bool:
    """Whether the address is one of 127.0.0.0/8 or ::1; a name, whether all of its are."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    if host != "localhost":  # other names are not looked up: that would ask another machine
        return False
    try:
        found = socket.getaddrinfo(host, None)
    except OSError:
        return False
    return all(ipaddress.ip_address(address[4][0]).is_loopback for address in found)
