"""The page's tables."""

from __future__ import annotations

import dataclasses

from parity.reports import handmade

from npbert.parity.reports import sections
from npbert.parity.types import TokenReport


def text(section):
    return " ".join("".join(each.itertext()) for each in section)


def rows(section, class_):
    return [row for row in section.iter("tr") if row.get("class") == class_]


def test_every_stage_has_a_row():
    section = sections.stages(handmade.differ())
    off, ok = rows(section, "off"), rows(section, "ok")
    assert len(ok) == handmade.NAMES.index(handmade.FIRST)
    assert len(ok) + len(off) == len(handmade.NAMES)
    first = ["".join(cell.itertext()) for cell in off[0]]
    assert first[:4] == [
        *("layer.1.activation ◀ first to differ, made here", "57", "4.70e-04", "8.25e-06")
    ]
    assert first[-2:] == ["(2, 7, 37)", "float32"]
    assert off[0][0].get("title").startswith("padded positions: 1.41e-03 at [1, 4, 17]")
    assert off[0][2].get("title") == "[1, 4, 17]: 0.25 and 0.25047"


def test_other_shapes_and_dtypes():
    section = sections.stages(handmade.not_comparable())
    assert "(2, 7, 20) and (2, 7, 36)" in text(section)
    mixed = handmade.stage("x", dtypes=("float32", "bfloat16"))
    assert "float32 and bfloat16" in text(sections.stages(handmade.agree(stages=[mixed])))


def test_weights_are_folded_while_they_are_the_same():
    (section,) = sections.weights(handmade.agree())
    assert "open" not in section.find("details").attrib
    assert section.find("details/summary").text == "1 equal"
    (section,) = sections.weights(handmade.other_tokens())
    assert "open" in section.find("details").attrib
    (off,) = rows(section, "off")  # one that a side lacks is not different
    assert [cell.text for cell in off] == ["pooled_dense/kernel", "transposed", "5.00e-01"]
    assert [*sections.weights(handmade.nothing())] == []


def test_tokens():
    (section,) = sections.tokens(handmade.agree())
    assert "The same for 24 texts." in text(section)
    (section,) = sections.tokens(handmade.other_tokens())
    (row,) = rows(section, "other")
    assert [cell.text for cell in row] == ["3", "'creme' (7)", "none"]
    assert "Crème\\u200b 东京 <script>alert(1)</script>" in text(section)
    assert [*sections.tokens(handmade.nothing())] == []
    bare = dataclasses.replace(handmade.agree(), tokens=TokenReport(texts=1, different=1))
    assert "1 of 1 text differ" in text(*sections.tokens(bare))


def test_environment_marks_what_is_not_the_same():
    section = sections.environment(handmade.differ())
    (other,) = rows(section, "other")
    assert [cell.text for cell in other] == ["torch", "2.13.0", "2.8.0"]
    assert "layer_norm_epsilon" in text(section)
    bare = dataclasses.replace(handmade.differ(), a={"name": "x"}, b={"name": "y", "config": None})
    assert not [*sections.environment(bare).iter("table")]


def test_notes():
    (section,) = sections.notes(handmade.agree())
    assert section.find("ul/li").text == "the inputs are the texts as models/ours tokenizes them"
    assert [*sections.notes(handmade.agree(notes=[]))] == []
