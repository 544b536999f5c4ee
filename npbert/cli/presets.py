"""``npbert presets``: the models that have names."""

from __future__ import annotations

EXAMPLE = "Example: npbert presets"


def run() -> None:
    """List the models that have names, and where each comes from."""
    from rich.console import Console
    from rich.table import Table

    from npbert.presets import presets_table

    table = Table(title="Models with names", show_lines=True)
    table.add_column("name", no_wrap=True)
    table.add_column("parameters", justify="right")
    table.add_column("what it is, and where its weights are", overflow="fold")
    for row in presets_table():
        described = f"{row.description}\n{row.source}"
        table.add_row(row.name, f"{row.parameters / 1e6:.1f} M", described)
    Console().print(table)
