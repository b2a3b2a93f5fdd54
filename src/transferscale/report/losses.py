"""Held-out loss of pretraining against scale, as interactive pictures: checkpoints by depth, and their laws."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import altair as alt
import numpy as np
import vl_convert

from transferscale.artefacts import atomic
from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.metrics import Reals
from transferscale.scaling.pictures import laws
from transferscale.scaling.pictures.canvas import Panel, Picture
from transferscale.scaling.pictures.files import SCALE
from transferscale.scaling.pictures.law_words import readings
from transferscale.scaling.pictures.numbers import amount
from transferscale.scaling.pictures.palette import INK, ramp
from transferscale.scaling.pictures.plane import Axis, Plane
from transferscale.scaling.pictures.svg import svg
from transferscale.study.study import Study

Rows = Sequence[Mapping[str, Any]]
LOSS = "held-out loss"
# The law that is drawn; a floor is told in words.
DRAWN = "power"
# Laws and their parameters in words; the parameters in the order in which a reader asks for them.
LAW_WORDS = {"power": "Power law", "power-floor": "Power law above a floor"}
PARAMETERS = {"c": "exponent", "b": "factor", "e": "floor"}


@dataclass(frozen=True)
class Scale:
    """A scale of pretraining: its column, the name of its figure, and what it is called."""

    column: str
    figure: str
    words: str

    @property
    def by_depth(self) -> bool:
        """Whether each depth has a law of its own."""
        return self.column == "clips_seen"

    def laws_of(self, fits: Sequence[Fit], family: str) -> list[Fit]:
        """Fits of a family's held-out loss against this scale, with the axes in words."""
        start = f"heldout_loss ~ {self.column}, {family},"
        own = (one for one in fits if one.group["curve"].startswith(start))
        return [replace(one, x=(self.words,), y=LOSS) for one in own]


SCALES = (
    Scale("params_encoder", "loss-parameters", "parameters of the encoder, N"),
    Scale("flops_formula", "loss-compute", "training FLOPs, C"),
    Scale("clips_seen", "loss-clips", "clips seen"),
)


def is_loss(one: Fit) -> bool:
    """Whether a fit is one of held-out loss."""
    return one.group["curve"].startswith("heldout_loss ~ ")


def picture(study: Study, checkpoints: Rows, fits: Sequence[Fit]) -> Picture:
    """A row a scale, and in it a panel a family; ``checkpoints`` are those of the ladder."""
    key = (
        "● checkpoints, one colour a depth; thin lines join the budgets of one trunk; thick line: the power law, "
        "dashed beyond the checkpoints; shaded: its 95 % interval; grey: beyond the checkpoints."
    )
    families = list(dict.fromkeys(row["family"] for row in checkpoints))
    panels = [panel for scale in SCALES for panel in _panels(study, checkpoints, fits, scale, families)]
    return Picture("Held-out loss of pretraining", [key], panels, columns=2)


def write_files(drawn: Picture, folder: Path) -> None:
    """Write every panel as ``<figure>.svg`` and ``.png``; of several families with the family's name."""
    for panel in drawn.panels:
        if panel.name is None:
            raise ValueError("a panel of the losses has no name")
        text = svg(panel.still(), panel.name)
        with atomic(folder / f"{panel.name}.svg") as temporary:
            temporary.write_text(text, encoding="utf-8")
        with atomic(folder / f"{panel.name}.png") as temporary:
            temporary.write_bytes(vl_convert.svg_to_png(text, scale=SCALE))


def _panels(
    study: Study, checkpoints: Rows, fits: Sequence[Fit], scale: Scale, families: Sequence[str]
) -> list[Panel]:
    """The panels of one scale, whose families share their axes."""
    last = study.rung("last")
    rows = [row for row in checkpoints if scale.column != "params_encoder" or row["rung"] == last]
    own = {family: [row for row in rows if row["family"] == family] for family in families}
    drawn = {
        family: {_depth(one): one for one in scale.laws_of(fits, family) if one.law == DRAWN}
        for family in families
    }
    x = np.array([row[scale.column] for row in rows], dtype=np.float64)
    first, end = float(x.min()), float(x.max())
    every = [one for laws_of in drawn.values() for one in laws_of.values()]
    beyond = max([end, *(laws.reach(one).end for one in every)])
    losses = Axis.around(LOSS, np.array([row["heldout_loss"] for row in rows]), log=True)
    if every:
        losses = laws.value_axis(every, [(first, beyond)] * len(every))
    plane = Plane(Axis.around(scale.words, np.array([first, beyond]), log=True), losses, 330, 230)
    several = len(families) > 1
    return [
        _panel(
            own[family],
            drawn[family],
            scale,
            plane,
            (first, end, beyond),
            family if several else "",
            _lines(study, scale, scale.laws_of(fits, family)),
        )
        for family in families
    ]


def _panel(
    rows: Rows,
    drawn: Mapping[int, Fit],
    scale: Scale,
    plane: Plane,
    ends_of_x: tuple[float, float, float],
    family: str,
    lines: Sequence[str],
) -> Panel:
    """One family against one scale; ``family`` is empty where the study has one."""
    first, end, beyond = ends_of_x
    depths = sorted({row["depth"] for row in rows})
    colours = dict(zip(depths, ramp(len(depths)), strict=True))
    layers = plane.beyond(first, end)
    for depth, one in drawn.items():
        reach = replace(laws.reach(one), start=first, end=beyond)
        colour = colours.get(depth, INK[0])
        layers += laws.band(plane, one, reach, colour, 0.07 if scale.by_depth else 0.12)
        layers += laws.curve(plane, one, reach, colour)
    ends = []
    for depth in depths:
        own = [row for row in rows if row["depth"] == depth]
        layers += _checkpoints(own, scale, plane, colours[depth])
        at_end = _mean_of_last(own, scale)
        if depth in drawn:
            at_end = float(drawn[depth].predict(np.array([beyond]))[0])
        ends.append((at_end, f"depth {depth}", colours[depth]))
    layers += plane.ends(ends)
    grid = plane.x.grid(first, beyond)
    told = {f"depth {depth}" if depth else "law": readings(one, grid) for depth, one in drawn.items()}
    ordered = sorted(rows, key=lambda row: row[scale.column])
    name = f"{scale.figure}-{family}" if family else scale.figure
    title = f"Held-out loss and {scale.words.split(',')[0]}"
    return Panel(
        plane,
        layers,
        f"{family}: {title[0].lower()}{title[1:]}" if family else title,
        lines,
        f"Held-out loss against {scale.words}: {ordered[0]['heldout_loss']:.3f} at "
        f"{ordered[0][scale.column]:.3g}, {ordered[-1]['heldout_loss']:.3f} at {ordered[-1][scale.column]:.3g}.",
        plane.ruler(grid, told, name.replace("-", "_")) if told else None,
        [f"depth {depth}: {w}" if depth else w for depth, one in drawn.items() for w in one.warnings],
        name,
    )


def _depth(one: Fit) -> int:
    """Depth of a law of one depth; 0 for a law of all."""
    found = re.search(r"depth (\d+)$", one.group["curve"])
    return int(found[1]) if found else 0


def _checkpoints(rows: Rows, scale: Scale, plane: Plane, colour: str) -> list[alt.Chart]:
    """Checkpoints of one depth, those of a trunk joined."""
    layers = []
    trunks: dict[int, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: row[scale.column]):
        trunks.setdefault(row["seed"], []).append(row)
    for own in trunks.values():
        if len(own) > 1:
            x, y = _places(own, scale)
            layers.append(plane.line(x, y, colour, width=0.7))
    told = [
        f"depth {row['depth']}, seed {row['seed']}, {row['clips_seen']} clips, "
        f"{amount(row['params_encoder'], 3)} parameters: {LOSS} {amount(row['heldout_loss'], 4)}"
        for row in rows
    ]
    x, y = _places(rows, scale)
    return [*layers, plane.points(x, y, told, colour, size=30)]


def _places(rows: Rows, scale: Scale) -> tuple[Reals, Reals]:
    """Scales and losses, each (checkpoints,)."""
    return (
        np.array([row[scale.column] for row in rows], dtype=np.float64),
        np.array([row["heldout_loss"] for row in rows], dtype=np.float64),
    )


def _mean_of_last(rows: Rows, scale: Scale) -> float:
    """Mean loss at the largest scale of a depth."""
    x, y = _places(rows, scale)
    return float(y[x == x.max()].mean())


def _lines(study: Study, scale: Scale, fits: Sequence[Fit]) -> list[str]:
    if scale.by_depth:
        return ["Every trunk; a power law a depth."]
    clips = study.pretrain.budgets.at(study.rung("last"))
    what = f"Longest pretraining ({clips} clips)" if scale.column == "params_encoder" else "All checkpoints"
    return [f"{what}.", *(law_words(one) for one in fits)]


def law_words(found: Fit) -> str:
    """A fitted law in a sentence: what the data pin down with its interval, and by name what they do not."""
    told = []
    for name, word in PARAMETERS.items():
        if found.identified.get(name):
            interval = found.intervals[name]
            bounds = f" ({interval[0]:.3g} to {interval[1]:.3g})" if interval else ""
            told.append(f"{word} {found.params[name]:.3g}{bounds}")
    doubt = [word for name, word in PARAMETERS.items() if not found.identified.get(name, True)]
    if doubt:
        several = " and ".join(filter(None, [", ".join(doubt[:-1]), doubt[-1]]))
        told.append(f"the data do not pin down its {several}")
    return f"{LAW_WORDS.get(found.law, found.law)}: {'; '.join(told)}."
