"""The last rung as it was foretold and as it came out, a panel a family."""

from collections.abc import Mapping, Sequence
from typing import Any

import altair as alt
import numpy as np

from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.numbers import amount
from transferscale.scaling.pictures.page import embed
from transferscale.scaling.pictures.palette import INK, MUTED, SERIES
from transferscale.scaling.pictures.plane import Axis, Plane
from transferscale.scaling.rungs.prediction import BEST, CURVE, LAST, SURFACE, observed

Row = Mapping[str, Any]
Rows = Sequence[Row]
BLUE = SERIES[0][0]
WORDS = {
    SURFACE: "surface L(N, D) of the family",
    CURVE: "curve of each depth",
    LAST: "guess: as at the rung before",
    BEST: "guess: as the best so far",
}


def predictor_words(row: Row) -> str:
    """A predictor with its law."""
    return WORDS[row["predictor"]] + (f", {row['law']}" if row["predictor"] == CURVE else "")


def pictures(prediction: Rows, ladder: Rows) -> str:
    """Pictures for the page; empty where nothing was foretold."""
    families = dict.fromkeys(row["family"] for row in prediction)
    panels = [
        _panel(family, [row for row in prediction if row["family"] == family], [dict(row) for row in ladder])
        for family in families
    ]
    key = [
        "Blue: foretold by the surface from the rungs before, with the 95 % interval of a new run; ○ measured; grey "
        "line: the loss one rung before.",
    ]
    return embed(Picture("The last rung", key, panels, columns=2), "foretold") if panels else ""


def _panel(family: str, rows: Rows, ladder: list[dict[str, Any]]) -> Panel:
    """One family."""
    seen = observed(ladder, rows)
    surface = sorted((row for row in rows if row["predictor"] == SURFACE), key=lambda row: row["depth"])
    before = sorted((row for row in rows if row["predictor"] == LAST), key=lambda row: row["depth"])
    sizes = np.array([row["params_encoder"] for row in before], dtype=np.float64)
    measured = [
        (row["params_encoder"], value, row["depth"])
        for row in before
        for value in seen.get((family, row["depth"]), [])
    ]
    values = [row["value"] for row in (*surface, *before)]
    values += [end for row in surface for end in (row["low"], row["high"]) if end is not None]
    values += [value for _, value, _ in measured]
    plane = Plane(
        Axis.around("parameters of the encoder, N", sizes, log=True),
        Axis.around("held-out loss", np.array(values), log=True),
        330,
        230,
    )
    layers: list[alt.Chart] = [
        plane.line(sizes, np.array([row["value"] for row in before]), MUTED[0], True, 1)
    ]
    if surface:
        x = np.array([row["params_encoder"] for row in surface], dtype=np.float64)
        y = np.array([row["value"] for row in surface])
        bounded = [row for row in surface if row["low"] is not None]
        if bounded:
            at = np.array([row["params_encoder"] for row in bounded], dtype=np.float64)
            low, high = (np.array([row[key] for row in bounded]) for key in ("low", "high"))
            layers.append(plane.band(at, low, high, BLUE))
        told = [f"depth {row['depth']}: foretold {amount(row['value'], 4)}" for row in surface]
        layers += [plane.line(x, y, BLUE), plane.points(x, y, told, BLUE, size=30)]
    if measured:
        n, losses = (np.array([one[i] for one in measured], dtype=np.float64) for i in (0, 1))
        told = [f"depth {depth}: measured {amount(value, 4)}" for _, value, depth in measured]
        layers.append(plane.points(n, losses, told, INK[0], hollow=True, size=42))
    rung = rows[0]["rung"]
    return Panel(
        plane,
        layers,
        f"{family}: rung {rung}, foretold and measured",
        [],
        f"Held-out loss of {family} at rung {rung}: "
        + "; ".join(
            f"depth {row['depth']} foretold {row['value']:.3f}, measured "
            + ", ".join(f"{value:.3f}" for value in seen.get((family, row["depth"]), []))
            for row in surface
        )
        + ".",
    )
