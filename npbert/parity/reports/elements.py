"""Elements of HTML, SVG and XML, escaped by the standard library."""

from __future__ import annotations

from typing import TypeAlias
from xml.etree.ElementTree import Element

from npbert.parity.reports.words import visible

Child: TypeAlias = "Element | str"


def element(name: str, /, *children: Child, **attributes: object) -> Element:
    """An element; ``class_`` and ``stroke_width`` are its attributes ``class`` and
    ``stroke-width``. Characters that XML cannot hold are written by their code."""
    made = Element(name, {_name(key): visible(str(value)) for key, value in attributes.items()})
    for child in children:
        add(made, child)
    return made


def add(parent: Element, child: Child) -> None:
    """Put a child, or text, at the end."""
    if isinstance(child, Element):
        parent.append(child)
        return
    text = "\n".join(map(visible, child.split("\n")))
    if len(parent):
        parent[-1].tail = (parent[-1].tail or "") + text
    else:
        parent.text = (parent.text or "") + text


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")
