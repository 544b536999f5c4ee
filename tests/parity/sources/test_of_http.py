"""Vectors of a server: asked only on this machine, and believed only if they are vectors."""

from __future__ import annotations

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest

from npbert.errors import ConfigError, ModelFileError
from npbert.parity.sources import open_source
from npbert.parity.sources.of_http import HttpSource


class Handler(BaseHTTPRequestHandler):
    """Answers with what ``answer`` makes of the request's body, and keeps the requests."""

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.asked.append((self.path, body))
        status, answer = self.server.answer(body)
        content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        if status == 307:
            self.send_header("Location", "http://192.0.2.1/v1/embeddings")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    serving = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    serving.asked, serving.answer = [], openai
    thread = threading.Thread(target=serving.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield serving
    serving.shutdown()
    serving.server_close()
    thread.join()


def vector(text):
    return [len(text), 0.1, -2.5]


def openai(body):
    data = [{"index": i, "embedding": vector(text)} for i, text in enumerate(body["input"])]
    return 200, {"data": data[::-1]}


def spec(server, path):
    return f"http://127.0.0.1:{server.server_port}{path}"


def test_openai(server):
    texts = ["a" * i for i in range(20)]
    source = open_source(spec(server, "/v1/embeddings#some-model"))
    found = source.encode(texts)
    assert found is not None
    assert found["text.vector"].dtype == np.float32
    np.testing.assert_array_equal(found["text.vector"], np.float32([vector(t) for t in texts]))
    assert [path for path, _ in server.asked] == ["/v1/embeddings"] * 2
    assert server.asked[0][1]["model"] == "some-model"
    assert source.environment == {"server": f"http://127.0.0.1:{server.server_port}"}
    assert source.encode([]) is None


def test_text_embeddings_inference(server):
    server.answer = lambda body: (200, [vector(text) for text in body["inputs"]])
    found = open_source(spec(server, "/embed")).encode(["ab", ""])
    assert found is not None
    np.testing.assert_array_equal(found["text.vector"], np.float32([vector("ab"), vector("")]))


def test_proxies_are_not_asked(server, monkeypatch):
    monkeypatch.setenv("http_proxy", "http://192.0.2.1:9")
    assert open_source(spec(server, "/v1/embeddings")).encode(["a"]) is not None


@pytest.mark.parametrize(
    ("status", "answer", "message"),
    [
        (200, {"data": []}, "0 vectors for 1 texts"),
        (200, {"embeddings": [[1]]}, "embeddings"),
        (200, {"data": [{"index": 0, "embedding": "AAAA"}]}, "AAAA"),
        (200, {"data": [{"index": 0, "embedding": [[1]]}]}, "1 vectors for 1 texts"),
        (200, b"<html>", "html"),
        (404, b"no such model", "HTTP 404 Not Found: no such model"),
        (307, b"", "HTTP 307"),
    ],
)
def test_answers_that_are_no_vectors(server, status, answer, message):
    server.answer = lambda body: (status, answer)
    with pytest.raises(ModelFileError, match=rf"not one vector for each text[^$]*{message}"):
        open_source(spec(server, "/v1/embeddings")).encode(["a"])


def test_vectors_of_different_lengths(server):
    server.answer = lambda body: (200, [[1.0] * (i + 1) for i in range(len(body["inputs"]))])
    with pytest.raises(ModelFileError, match="vectors of different lengths"):
        open_source(spec(server, "/embed")).encode(["a", "b"])


def test_no_server(server):
    server.answer = lambda body: (threading.Event().wait(0.6), (200, []))[1]
    slow = HttpSource(spec(server, "/embed"), seconds=0.1)
    with pytest.raises(ModelFileError, match=r"the server does not answer[^$]*timed out"):
        slow.encode(["a"])
    with pytest.raises(ModelFileError, match="the server does not answer"):
        open_source("http://127.0.0.1:1/embed").encode(["a"])


@pytest.mark.parametrize(
    "address",
    [
        *("192.0.2.1:80", "example.com", "127.0.0.1.example.com", "127.0.0.1@example.com", ""),
        *("0.0.0.0:80", "10.0.0.1", "[2001:db8::1]", "2130706433", "127.0.0.1:99999", "127.1"),
    ],
)
def test_other_machines(address):
    with pytest.raises(ConfigError, match="only servers on this machine are asked"):
        open_source(f"http://{address}/v1/embeddings")


@pytest.mark.parametrize("address", ["127.0.0.1:8080", "127.8.9.1", "[::1]:8080"])
def test_this_machine(address):
    assert open_source(f"http://{address}/embed").kind == "http"


@pytest.mark.parametrize(("address", "asked"), [("127.0.0.1", True), ("192.0.2.1", False)])
def test_the_name_of_this_machine(monkeypatch, address, asked):
    found = [(socket.AF_INET, 0, 0, "", (each, 0)) for each in ("127.0.0.1", address)]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_: found)
    if asked:
        assert open_source("http://localhost:8080/embed").kind == "http"
        return
    with pytest.raises(ConfigError, match="only servers on this machine are asked"):
        open_source("http://localhost:8080/embed")


def test_other_paths():
    with pytest.raises(ConfigError, match="of no interface that is known"):
        open_source("http://127.0.0.1:8080/api/generate")
