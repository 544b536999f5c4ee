"""What `npbert.parity.invariance` found, for the screen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from npbert.parity.reports.words import number, visible

if TYPE_CHECKING:
    from rich.console import RenderableType

    from npbert.parity.changes import Change
    from npbert.parity.invariance import Invariance


def screen(found: Invariance) -> RenderableType:
    """The verdict, and a line for each change."""
    from rich.box import SIMPLE_HEAD
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    sign, style = ("✔", "bold green") if found.bit_equal else ("✘", "bold red")
    table = Table("", "what changes", "how", "what it does", box=SIMPLE_HEAD)
    for change in found.changes:
        colour = "green" if change.bit_equal else "red"
        mark = Text("✔" if change.bit_equal else "✘", colour)
        table.add_row(mark, change.what, change.how, Text(told(change), colour))
    notes = [Text(f"note: {visible(note)}", "dim") for note in found.notes]
    return Group(Text(f"{sign} {headline(found)}", style), table, *notes)


def headline(found: Invariance) -> str:
    """The verdict in a sentence."""
    name = f"{visible(found.name)} ({found.kind})"
    if found.bit_equal:
        return f"{name} gives the same bits, whatever else is in the batch and however it is run."
    changes = dict.fromkeys(change.what for change in found.changes if not change.bit_equal)
    return f"{name} gives other numbers with other {', '.join(changes)}."


def told(change: Change) -> str:
    """What a change does to the numbers."""
    if change.bit_equal:
        return f"the same bits at {change.stages} stages"
    return (
        f"other bits from {change.first} on; at most {number(change.max_abs)}, at {change.stage};"
        f" {number(change.ulp_max)} ULP"
    )
