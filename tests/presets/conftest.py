"""What several tests of the hubs share."""

from __future__ import annotations

from pathlib import Path

import pytest

from npbert.presets import hubs

from .fake_hub import FakeHub
from .model_folders import copy


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> type[FakeHub]:
    fake = type("Fake", (FakeHub,), {"absent": set(), "reachable": True, "log": []})
    fake.has, fake.cache = copy("keras_tiny", tmp_path / "hub"), tmp_path / "cache"
    monkeypatch.setitem(hubs._SCHEMES, "hf", fake)
    return fake
