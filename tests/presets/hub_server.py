"""A small server on this machine that speaks what the clients of the two hubs speak.

Hugging Face: ``/ORG/MODEL/resolve/REVISION/FILE`` by HEAD and GET, with ETag, X-Repo-Commit and
X-Error-Code; weights are a redirect to another address that takes ranges, as the hub's storage is.
Kaggle: POST to ``/v1/models.ModelApiService/METHOD``; every file is such a redirect, with the MD5
header of its storage.
"""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import unquote

LARGE = (".safetensors", ".h5")
RESOLVE = "/resolve/"


@dataclass
class Hub:
    """What the server has, what goes wrong with it, and what it was asked.

    Args:
        models: ``ORG/MODEL``, or Kaggle's ``ORG/MODEL/keras/VARIANT/VERSION``, -> its directory.
        status: a file's name -> the status that is answered in place of the file.
        cuts: a file's name -> how many more times its content ends half-way.
        silent_cuts: the same, by a server that does not say how long the content is.
        slow: seconds between the two halves of every content.
        gated: models whose licence nobody has accepted.
        commit: the newest one of every model on Hugging Face.
        log: every request, as "METHOD FILE", with the first byte asked for if it is not 0.
    """

    models: dict[str, Path] = field(default_factory=dict)
    status: dict[str, int] = field(default_factory=dict)
    cuts: dict[str, int] = field(default_factory=dict)
    silent_cuts: dict[str, int] = field(default_factory=dict)
    slow: float = 0.0
    gated: set[str] = field(default_factory=set)
    commit: str = "0123456789abcdef0123456789abcdef01234567"
    log: list[str] = field(default_factory=list)
    url: str = ""

    def asked_for(self, *suffixes: str) -> list[str]:
        """The requests for files that end so."""
        return [line for line in self.log if line.split()[1].endswith(suffixes)]

    @property
    def storage(self) -> str:
        """Where large files are: another host, as for the hubs, which changes what clients do."""
        return self.url.replace("127.0.0.1", "localhost") + "/storage"

    def newest(self, model: str) -> int:
        names = [name for name in self.models if name.startswith(f"{model}/")]
        return max((int(name.rpartition("/")[2]) for name in names), default=0)


class Server:
    """Runs a `Hub` in a thread; a context manager. `stop` makes it unreachable."""

    def __init__(self) -> None:
        self.hub = Hub()
        handler = type("Handler", (_Handler,), {"hub": self.hub})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self.hub.url = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        if self._thread.is_alive():
            self._server.shutdown()
            self._thread.join()
        self._server.server_close()


class _Handler(BaseHTTPRequestHandler):
    hub: Hub
    protocol_version = "HTTP/1.1"

    def handle(self) -> None:
        with suppress(ConnectionError):  # a client that has gone
            super().handle()

    def log_message(self, *_: Any) -> None:
        pass

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = unquote(self.path)
        if path.startswith("/storage/"):
            self._storage(path.removeprefix("/storage/"))
        elif RESOLVE in path:
            model, _, rest = path[1:].partition(RESOLVE)
            self._resolve(model, rest.partition("/")[2])
        else:
            self._refuse(404, "")

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        model = f"{asked['ownerSlug']}/{asked['modelSlug']}/keras/{asked['instanceSlug']}"
        if self.path.endswith("/GetModelInstance"):
            self._instance(model)
        else:
            self._kaggle_file(f"{model}/{asked['versionNumber']}", asked["path"])

    # -- Hugging Face --------------------------------------------------------------------------

    def _resolve(self, model: str, file: str) -> None:
        self._note(file)
        if model not in self.hub.models:
            return self._refuse(401, "RepoNotFound")
        if model in self.hub.gated:
            return self._refuse(403, "GatedRepo")
        path = self.hub.models[model] / file
        if not path.is_file():
            return self._refuse(404, "EntryNotFound")
        if self._fails(file):
            return None
        if not file.endswith(LARGE):
            etag = git_hash(path)
            return self._content(path, {"ETag": f'"{etag}"', "X-Repo-Commit": self.hub.commit})
        headers = {
            "Location": f"{self.hub.storage}/{model}/{file}",
            "X-Linked-Etag": f'"{hashlib.sha256(path.read_bytes()).hexdigest()}"',
            "X-Linked-Size": str(path.stat().st_size),
            "X-Repo-Commit": self.hub.commit,
        }
        return self._answer(302, headers)

    # -- Kaggle --------------------------------------------------------------------------------

    def _instance(self, model: str) -> None:
        self._note("GetModelInstance")
        if not (version := self.hub.newest(model)):
            return self._refuse(404, "")
        content = json.dumps({"versionNumber": version}).encode()
        return self._answer(200, {"Content-Type": "application/json"}, content)

    def _kaggle_file(self, model: str, file: str) -> None:
        self._note(file)
        if model in self.hub.gated:
            return self._refuse(403, "")
        if model not in self.hub.models or not (self.hub.models[model] / file).is_file():
            return self._refuse(404, "")
        if self._fails(file):
            return None
        return self._answer(302, {"Location": f"{self.hub.storage}/{model}/{file}"})

    # -- storage -------------------------------------------------------------------------------

    def _storage(self, name: str) -> None:
        model = max((m for m in self.hub.models if name.startswith(f"{m}/")), key=len)
        file = name.removeprefix(f"{model}/")
        self._note(file)
        path = self.hub.models[model] / file
        md5 = base64.b64encode(hashlib.md5(path.read_bytes()).digest()).decode()
        self._content(path, {"Accept-Ranges": "bytes", "x-goog-hash": f"crc32c=AAAAAA==,md5={md5}"})

    def _content(self, path: Path, headers: dict[str, str]) -> None:
        whole = path.read_bytes()
        start = self._start()
        content = whole[start:]
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(whole) - 1}/{len(whole)}"
        self._answer(206 if start else 200, headers, content, path.name)

    def _answer(
        self, status: int, headers: dict[str, str], content: bytes = b"", file: str = ""
    ) -> None:
        silent = self.command == "GET" and self._takes(self.hub.silent_cuts, file)
        cut = self.command == "GET" and self._takes(self.hub.cuts, file)
        self.send_response(status)
        for name, value in headers.items():
            if not (silent and name in ("x-goog-hash", "Accept-Ranges")):
                self.send_header(name, value)
        if silent:
            self.send_header("Connection", "close")
        else:
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.close_connection = self.close_connection or silent or cut
        if self.command == "HEAD" or not content:
            return
        half = len(content) // 2
        self.wfile.write(content[:half])
        if not (silent or cut):
            self.wfile.flush()
            time.sleep(self.hub.slow)
            self.wfile.write(content[half:])

    # -- what goes wrong -----------------------------------------------------------------------

    def _note(self, file: str) -> None:
        start = self._start()
        self.hub.log.append(f"{self.command} {file}" + (f" from {start}" if start else ""))

    def _start(self) -> int:
        return int(self.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))

    def _takes(self, faults: dict[str, int], file: str) -> bool:
        faults[file] = faults.get(file, 0) - 1
        return faults[file] >= 0

    def _fails(self, file: str) -> bool:
        if file in self.hub.status:
            self._refuse(self.hub.status[file], "")
        return file in self.hub.status

    def _refuse(self, status: int, code: str) -> None:
        self._answer(
            status, {"X-Error-Code": code, "X-Repo-Commit": self.hub.commit} if code else {}
        )


def git_hash(path: Path) -> str:
    """What git calls the content, and the hub a small file."""
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
