"""Reports to files, by their endings."""

from __future__ import annotations

import pytest
from parity.reports import handmade

from npbert.errors import ConfigError
from npbert.parity import reports
from npbert.parity.reports import html, json_report, junit, markdown

RENDERERS = {".html": html, ".json": json_report, ".xml": junit, ".MD": markdown}


@pytest.mark.parametrize("ending", RENDERERS)
def test_the_ending_decides(tmp_path, ending):
    path = tmp_path / f"report{ending}"
    path.write_text("old")
    reports.write(handmade.broken(), path)
    assert path.read_bytes() == RENDERERS[ending].render(handmade.broken()).encode()
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("name", ["report", "report.txt", ".html"])
def test_another_ending(tmp_path, name):
    with pytest.raises(ConfigError, match=r"no report has this ending[\s\S]*\.html, \.json"):
        reports.write(handmade.agree(), tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_written_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="could not be written"):
        reports.write(handmade.agree(), tmp_path / "missing" / "report.md")
