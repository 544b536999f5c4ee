"""The page: whole, safe, and by itself."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from parity.reports import handmade

from npbert.parity.reports import html
from npbert.parity.reports.heat import SHADES

VOID = {"meta", "link", "input", "br"}


class Page(HTMLParser):
    """Checks that every element is closed in its turn, and keeps what it finds."""

    def __init__(self, text):
        super().__init__()
        self.open, self.found, self.text = [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.text.append(data)


@pytest.mark.parametrize("name", handmade.ALL)
def test_it_is_well_formed_and_asks_for_nothing(name):
    text = html.render(handmade.ALL[name]())
    page = Page(text)
    tags = {tag for tag, _ in page.found}
    assert not tags & {"script", "img", "iframe", "object", "form"}
    links = [v for _, attrs in page.found for k, v in attrs.items() if k in ("src", "href")]
    assert links == ["data:,"]
    assert not re.search(r"https?:|@import|url\(", text)
    assert "default-src 'none'" in text


def test_verdict_and_cause_come_first():
    text = " ".join(Page(html.render(handmade.differ())).text)
    told = ["a and b differ from", "is GELU by tanh", "Fix: set hidden_act", "How the error grows"]
    places = [text.index(each) for each in [*told, "Stages", "Weights", "Tokens", "Environment"]]
    assert places == sorted(places)


def test_texts_are_escaped_and_visible():
    page = Page(html.render(handmade.other_tokens()))
    assert any("<script>alert(1)</script>" in text for text in page.text)
    assert any("é\\x07" in text for text in page.text)


def test_without_stages_there_is_no_plot():
    page = Page(html.render(handmade.nothing()))
    assert "svg" not in {tag for tag, _ in page.found}


def test_the_shades_have_their_rules():
    lightness = [
        int(each) for each in re.findall(r"hsl\(18 75% (\d+)%\)", html.render(handmade.agree()))
    ]
    assert len(lightness) == SHADES
    assert lightness == sorted(lightness, reverse=True)
    assert lightness[-1] > 15
