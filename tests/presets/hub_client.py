"""A process that loads one preset, in an environment of its own: the clients read it on import.

    python -m presets.hub_client HANDLE [offline] [config]

Prints one line of JSON: what was loaded, or the error; and the modules for networks it brought.
``offline`` makes every connection an error that no client knows; ``config`` loads no weights.
``KAGGLE_AT`` is where Kaggle is, for kagglehub knows no variable for it.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).parents[2]
CLIENTS = ("huggingface_hub", "kagglehub", "requests", "httpx", "httpx2")


class Loaded(NamedTuple):
    """What such a process printed; ``error`` is the class of an `NpbertError`, or ""."""

    path: Path
    kind: str
    values: float
    error: str
    text: str
    warnings: list[str]
    modules: list[str]


def load(handle: str | Path, *options: str, **environment: str) -> Loaded:
    """Run the process; whatever else than an answer it gives is AssertionError."""
    ours = ("HF_", "KAGGLE", "HUGGING_FACE", "NPBERT")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    settings = {
        **kept,
        **environment,
        "NO_PROXY": "*",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")]),
    }
    command = [sys.executable, "-m", "presets.hub_client", str(handle), *options]
    done = subprocess.run(
        command, capture_output=True, text=True, env=settings, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)  # and nothing else is on stdout
    return Loaded(**answer | {"path": Path(answer["path"])})


def answer(handle: str, load_weights: bool) -> dict[str, Any]:
    from npbert.errors import NpbertError
    from npbert.presets import load_preset

    got: dict[str, Any] = {"path": "", "kind": "", "values": 0.0, "error": "", "text": ""}
    try:
        preset = load_preset(handle, load_weights=load_weights)
    except NpbertError as error:
        return got | {"error": type(error).__name__, "text": str(error)}
    arrays = (preset.weights or {}).values()
    values = float(sum(abs(array).sum(dtype="float64") for array in arrays))
    return got | {"path": str(preset.path), "kind": preset.kind, "values": values}


def go_offline() -> None:
    def refuse(*_: object, **__: object) -> Any:
        raise AssertionError("a connection was wanted")

    socket.socket.connect = refuse  # type: ignore[method-assign]
    socket.create_connection = socket.getaddrinfo = refuse  # type: ignore[assignment]


def point_kaggle_at(url: str) -> None:
    from kagglesdk import kaggle_env

    kaggle_env._env_to_endpoint[kaggle_env.KaggleEnv.PROD] = url


def main() -> None:
    handle, *options = sys.argv[1:]
    if "offline" in options:
        go_offline()
    elif url := os.environ.get("KAGGLE_AT"):
        point_kaggle_at(url)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        got = answer(handle, "config" not in options)
    got["warnings"] = [str(w.message) for w in caught if issubclass(w.category, UserWarning)]
    got["modules"] = [name for name in CLIENTS if name in sys.modules]
    print(json.dumps(got))


if __name__ == "__main__":
    main()
