"""The report in Markdown."""

from __future__ import annotations

import re

import pytest
from parity.reports import handmade

from npbert.parity.reports import markdown


@pytest.mark.parametrize("name", handmade.ALL)
def test_every_row_has_the_cells_of_its_head(name):
    text = markdown.render(handmade.ALL[name]())
    for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
        assert len({len(re.findall(r"(?<!\\)\|", row)) for row in table.splitlines()}) == 1
    assert re.findall(r"(?<!\\)<(?!/?(?:details|summary)>)", text) == []


def test_heading_diagnosis_and_table():
    text = markdown.render(handmade.differ())
    assert text.startswith("## ❌ a and b differ from layer.1.activation on: 4.70e-04")
    assert "\n\n**b's layer.1.activation is GELU by tanh" in text
    assert "| **layer.1.activation** | 4.70e-04 | 8.25e-06 | 57 | 1.03e-06 | 2.00e-08 |" in text
    assert "◀ first to differ, made here |" in text
    assert "| … 24 more stages |" in text
    assert "<summary>All 51 stages</summary>" in text
    assert markdown.render(handmade.agree()).startswith("## ✅ a and b agree: 51 stages")


def test_few_stages_are_not_folded():
    text = markdown.render(handmade.broken())
    assert "<details>" not in text
    assert "résumé \\| \\<b\\>" in text


def test_texts_are_escaped():
    text = markdown.render(handmade.other_tokens())
    assert "\\<script\\>alert(1)\\</script\\> \\| \\`x\\` \\&" in text
