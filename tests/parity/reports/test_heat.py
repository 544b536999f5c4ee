"""Heat maps of layers and kinds of stages."""

from __future__ import annotations

import math

from parity.reports import handmade

from npbert.parity.reports.heat import SHADES, heat_maps, own_share, shade


def cells(table):
    """Rows of texts, the names of the columns first."""
    return [["".join(cell.itertext()) for cell in row] for row in table.iter("tr")]


def test_layers_and_kinds_in_the_order_of_the_forward_pass():
    first, second = heat_maps(handmade.differ())
    layers, embeddings, out, text = first.findall("table")
    head, *rows = cells(layers)
    assert head[1:4] == ["query", "key", "value"]
    assert [row[0] for row in rows] == ["layer 0", "layer 1", "layer 2"]
    assert rows[1][head.index("intermediate")] == "0.33"
    assert rows[1][head.index("activation")] == "▶57"
    assert cells(embeddings)[0][1:] == ["token", "position", "segment", "sum", "layer_norm"]
    assert cells(out)[0][1:] == ["sequence_output", "pooled_output"]
    assert cells(text)[0][1:] == ["pooling", "vector"]
    own = cells(second.find("table"))
    assert (own[2][head.index("activation")], own[2][head.index("output")]) == ("▶57", "0.05")


def test_only_what_differs_is_outlined():
    (first, _) = heat_maps(handmade.differ())
    past = [cell for cell in first.iter("td") if "past" in cell.get("class", "")]
    assert len(past) == sum(not stage.agrees for stage in handmade.differ().stages)
    assert past[0].get("title").startswith("layer.1.activation: 4.70e-04 at [1, 4, 17]")


def test_missing_stages_leave_holes():
    (first, _) = heat_maps(handmade.broken())
    head, *rows = cells(first.find("table"))
    assert head == ["", "query", "scores", "probs"]
    assert rows == [["layer 0", "·", "▶∞", "0.33"], ["layer 10", "∞", "·", "·"]]


def test_without_replayed_ops_there_is_one_map():
    assert len([*heat_maps(handmade.not_comparable())]) == 1


def test_shades_grow_and_jump_at_the_tolerance():
    shares = [0, 0.01, 0.1, 0.3, 1, 1.01, 30, 1e3, 1e4, math.inf]
    shades = [shade(share) for share in shares]
    assert shades == sorted(shades)
    assert (shades[0], shades[-1]) == (0, SHADES - 1)
    assert shade(1.01) > shade(1) + 1


def test_own_share():
    assert own_share(handmade.stage("x", tolerance=2.0, local=(1.0, 0.5))) == 0.5
    assert own_share(handmade.stage("x", tolerance=0.0, local=(1.0, None))) == math.inf
    assert own_share(handmade.stage("x", tolerance=0.0, local=(0.0, None))) == 0
    assert own_share(handmade.stage("x", local=(None, None))) is None
