"""Elements of HTML, SVG and XML."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring, tostring

from npbert.parity.reports.elements import add, element


def test_children_texts_and_attributes():
    made = element("p", "a < ", element("b", "b"), " & c", class_='"x"', stroke_width=1.5)
    add(made, "!")
    expected = '<p class="&quot;x&quot;" stroke-width="1.5">a &lt; <b>b</b> &amp; c!</p>'
    assert tostring(made, "unicode") == expected


def test_what_xml_cannot_hold_is_written_by_its_code():
    made = element("p", "\x00\ud800\n\u202e", title="\x0b", name="a\nb")
    assert "".join(fromstring(tostring(made)).itertext()) == "\\x00\\ud800\n\\u202e"
    assert made.attrib == {"title": "\\x0b", "name": "a\\nb"}
