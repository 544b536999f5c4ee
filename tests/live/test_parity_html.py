"""The HTML report in a browser: Debian's Chromium, headless and offline, through Playwright.

It takes `apt-get install chromium` and `pip install playwright`; no browser is downloaded.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import goldens
import pytest
from parity.reports import handmade

from npbert.parity import reports
from npbert.parity.compare import compare
from npbert.parity.sources import open_source

pytestmark = pytest.mark.live

FIRST = "layer.0.activation"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking"]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    path = shutil.which("chromium")
    assert path, "apt-get install chromium"
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield chromium
        chromium.close()


class Opened:
    """A page, and all that it complained of and asked for."""

    def __init__(self, browser: Any, file: Path, **settings: Any) -> None:
        context = browser.new_context(offline=True, **settings)
        self.page, self.said, self.asked = context.new_page(), [], []
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.goto(file.as_uri())

    def seen(self, selector: str) -> list[str]:
        """The texts of the elements that are visible."""
        found = self.page.locator(selector)
        return [each.text_content() for each in found.all() if each.is_visible()]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Of two goldens that are the same but for the activation."""
    a, b = (
        open_source(f"bundle:{goldens.GOLDEN / f'hf_deep_{kind}'}#hf32") for kind in ("erf", "tanh")
    )
    report = compare(a, b)
    assert report.first == FIRST
    path: Path = tmp_path_factory.mktemp("page") / "report.html"
    reports.write(report, path)
    return path


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_shows_where_they_part(browser, file, scheme, measured):
    opened = Opened(browser, file, color_scheme=scheme, viewport={"width": 1180, "height": 900})
    page = opened.page
    assert opened.said == []
    assert [url for url in opened.asked if not url.startswith(("file:", "data:"))] == []
    assert f"a and b differ from {FIRST} on" in opened.seen("h1")[0]
    assert "tanh GELU" in opened.seen("header p.why")[0]
    assert f"{FIRST}: first to differ, made here" in opened.seen("#growth text.pointed")
    box = page.locator("#growth").bounding_box()
    assert box["width"] > 900
    assert box["height"] > 300
    marks = page.locator("#growth path.good, #growth path.bad").count()
    assert marks == page.locator("#stages tbody tr").count() + 1  # one is in the legend
    assert opened.seen("figure.heat td:has-text('▶')")
    picture = file.with_name(f"{scheme}.png")
    page.screenshot(path=picture, full_page=True)
    measured(f"the page, {scheme}: {picture.stat().st_size:,} bytes of picture, {picture}")


def test_the_box_hides_what_agrees(browser, file):
    opened = Opened(browser, file)
    before = opened.seen("#stages tbody th")
    opened.page.locator("#only").check()
    after = opened.seen("#stages tbody th")
    assert after[0].startswith(FIRST)
    assert len(after) < len(before)


@pytest.mark.parametrize("width", [1180, 480])
@pytest.mark.parametrize("name", handmade.ALL)
def test_every_report_opens_and_is_no_wider_than_the_window(browser, tmp_path, name, width):
    path = tmp_path / "report.html"
    reports.write(handmade.ALL[name](), path)
    opened = Opened(browser, path, viewport={"width": width, "height": 900})
    assert opened.said == []
    assert opened.page.evaluate("document.documentElement.scrollWidth") <= width
