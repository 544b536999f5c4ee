"""``npbert presets``: the models that have names, and which of them are on disk."""

from __future__ import annotations

EXAMPLE = "Example: npbert presets"


def run() -> None:
    """List the models that have names, where each comes from, and which are on this machine."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from npbert.presets import presets_table
    from npbert.presets.hubs import on_disk

    table = Table(title="Models with names", show_lines=True)
    table.add_column("name", no_wrap=True)
    table.add_column("parameters", justify="right")
    table.add_column("what it is, and where its weights are", overflow="fold")
    for row in presets_table():
        folder = on_disk(row.name)
        where = f"on disk: {folder}" if folder else row.source
        described = Text(f"{row.description}\n{where}")
        table.add_row(row.name, f"{row.parameters / 1e6:.1f} M", described)
    Console().print(table)
