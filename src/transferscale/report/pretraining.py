"""What pretraining itself showed: does loss fall with size and clips, which size is best, was the last rung foretold.

Opens the page of a study that pretrains alone; of others it is a part.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from transferscale.report import courses, foretold
from transferscale.scaling.comparisons.compare import Comparison
from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.minima.isoflop import Isoflop
from transferscale.scaling.minima.table import Isoflops
from transferscale.scaling.pictures import isoflop as isoflop_pictures
from transferscale.scaling.pictures import slices
from transferscale.scaling.pictures.canvas import Picture
from transferscale.scaling.pictures.layout import group_name, size
from transferscale.scaling.pictures.page import embed
from transferscale.scaling.rungs.ladder import plain
from transferscale.scaling.rungs.monotone import CLIPS, SIZE, Falls, Step, steps, summary
from transferscale.scaling.rungs.prediction import SURFACE
from transferscale.scaling.rungs.repeats import ONCE, epochs, worth

Row = Mapping[str, Any]
Rows = Sequence[Row]
N, D, C, LOSS = "parameters, N", "clips seen, D", "training FLOPs, C", "held-out loss"
# Share of the draws of the noise in which a minimum is bracketed, from which it is taken as sure.
SURE = 0.95
WITH = {SIZE: "with size at equal clips", CLIPS: "with clips at equal size"}


@dataclass(frozen=True)
class Tables:
    """What the part on pretraining reads: `ladder`, `checkpoints`, `rung_prediction`, `rung_test`, `isoflop`,
    `laws` of surfaces and of frontiers, `training`, and the same as fits.
    """

    ladder: Rows
    checkpoints: Rows
    prediction: Rows
    hindsight: Rows
    isoflop: Rows
    laws: Rows
    training: Rows
    surfaces: Sequence[Fit]
    minima: Isoflops


@dataclass(frozen=True)
class Pretraining:
    """The part of the page: its answer, pictures as text, and rows of its tables."""

    headline: str
    answers: Sequence[str]
    holds: bool
    key: Sequence[str]
    minima: str
    surfaces: str
    foretold: str
    courses: str
    courses_key: Sequence[str]
    falls: Sequence[Falls]
    rises: Sequence[Step]
    isoflop: Rows
    laws: Rows
    hindsight: Rows
    beside: Rows
    epochs: Rows
    """Clips seen and different clips of every rung."""
    repeats: Sequence[str]
    """What clips seen again are worth."""


def section(tables: Tables) -> Pretraining:
    """The part on pretraining."""
    known = [row for row in tables.ladder if (row["heldout_loss"] or 0) > 0]
    found, falls = steps(known), summary(known)
    repeated, not_told = worth(known)
    named = [_named(one) for one in tables.minima.groups]
    comparison = tables.minima.comparison
    shown = replace(
        tables.minima, groups=tuple(named), comparison=None if comparison is None else _frontiers(comparison)
    )
    drawn = isoflop_pictures.picture(shown) if named else None
    trained = courses.picture(tables.training, tables.ladder)
    return Pretraining(
        headline=headline(falls),
        answers=answers(falls, tables),
        epochs=rung_epochs(known),
        repeats=[f"{words}." for words in (*(one.words for one in repeated), *not_told)],
        holds=all(one.holds for one in falls),
        key=drawn.lines if drawn else [],
        minima=embed(drawn, "isoflop") if drawn else "",
        surfaces=_surfaces(tables.surfaces),
        foretold=foretold.pictures(tables.prediction, tables.ladder),
        courses=embed(trained, "courses") if trained else "",
        courses_key=trained.lines if trained else [],
        falls=falls,
        rises=[one for one in found if one.rises],
        isoflop=tables.isoflop,
        laws=tables.laws,
        hindsight=tables.hindsight,
        beside=beside(tables.checkpoints),
    )


def headline(falls: Sequence[Falls]) -> str:
    """Whether held-out loss falls with size and with clips, in a few words."""
    if not falls:
        return "One size and one budget: nothing can be compared"
    beyond = sum(one.beyond for one in falls)
    steps_ = sum(one.steps for one in falls)
    if beyond:
        many = f"{beyond} of {steps_} steps rise{'s' * (beyond == 1)} by more than noise"
        return f"Held-out loss does not always fall: {many}"
    if not any(one.judged for one in falls):
        rises = sum(one.rises for one in falls)
        return f"Held-out loss falls in {steps_ - rises} of {steps_} steps; without replicates noise is not known"
    words = {SIZE: "size", CLIPS: "clips seen"}
    told = []
    for clear, verb in ((True, "falls"), (False, "does not clearly fall")):
        own = [one for one in falls if one.clear is clear]
        parts = [
            f"{words[along]} ({', '.join(f'{one.family} {_percent(one)}' for one in own if one.along == along)})"
            for along in words
            if any(one.along == along for one in own)
        ]
        if parts:
            told.append(f"{verb} with {(' and ' if clear else ' or ').join(parts)}")
    return f"Held-out loss {', and '.join(told)}"


def _percent(one: Falls) -> str:
    """Change from first to last."""
    return f"{100 * one.share:+.1f} %"


def answers(falls: Sequence[Falls], tables: Tables) -> list[str]:
    """What was found, a sentence each: family by family, then families against each other."""
    out = []
    families = dict.fromkeys(row["family"] for row in tables.ladder)
    minima = {one.group["family"]: one for one in tables.minima.groups}
    for family in families:
        own = [one for one in falls if one.family == family]
        parts = [_falls(one) for one in own]
        if family in minima:
            parts.append(_best(minima[family]))
        told = _foretold([row for row in tables.hindsight if row["family"] == family])
        if told:
            parts.append(told)
        if parts:
            out.append(f"{family}: {'; '.join(parts)}.")
    if tables.minima.comparison is not None:
        out.append(f"Frontiers: {tables.minima.comparison.verdict}.")
    return out


def _falls(one: Falls) -> str:
    """Steps along size or clips."""
    if not one.rises:
        return f"{WITH[one.along]} the loss falls in all {one.steps} steps, {_fallen(one)}"
    if not one.judged:
        noise = "noise is not known"
    elif one.beyond:
        noise = f"{one.beyond} by more than noise"
    else:
        noise = "within noise"
    falling = f"{WITH[one.along]} it falls in {one.steps - one.rises} of {one.steps} steps"
    return f"{falling} ({one.rises} rise, {noise}), {_fallen(one)}"


def _fallen(one: Falls) -> str:
    """Change from the first to the last size or budget, with what noise makes of it."""
    noise = "" if one.limit is None else f" (noise {100 * one.limit:.1f} %)"
    return f"from first to last by {_percent(one)}{noise}"


def _best(one: Isoflop) -> str:
    """Minima and the exponent of the best size."""
    inside = [budget for budget in one.budgets if not budget.side]
    if not inside:
        sides = {budget.side for budget in one.budgets}
        told = f"none of {len(one.budgets)} isoFLOP minima is bracketed"
        if sides == {"smaller"}:
            return (
                f"{told}: the smallest size run at each budget is the best, so clips pay more than size there"
            )
        if sides == {"larger"}:
            return (
                f"{told}: the largest size run at each budget is the best, so size pays more than clips there"
            )
        return told
    told = f"{len(inside)} of {len(one.budgets)} isoFLOP minima are bracketed"
    sure = [budget for budget in inside if budget.p_bracketed is None or budget.p_bracketed >= SURE]
    if len(sure) < len(inside):
        told += f" ({len(sure)} of them in {100 * SURE:.0f} % of the draws of the noise)"
    grows = one.allocation
    if grows is None:
        return told
    ends = "" if grows.low is None else f" (95 % {grows.low:.2f} to {grows.high:.2f})"
    return f"{told}, the best size grows as C^{grows.a:.2f}{ends}"


def _foretold(rows: Rows) -> str:
    """How the surface did on the last rung."""
    surface = next((row for row in rows if row["predictor"] == SURFACE), None)
    if surface is None:
        return ""
    guesses = [row for row in rows if not row["law"]]
    best = min(guesses, key=lambda row: row["relative_error"], default=None)
    told = f"the surface foretold the last rung within {100 * surface['relative_error']:.1f} %"
    if best is not None:
        told += f" (guess '{best['predictor']}': {100 * best['relative_error']:.1f} %)"
    if surface["bounded"]:
        told += f", {surface['inside']} of {surface['bounded']} checkpoints inside the 95 % interval"
    if surface["epochs"] > max(ONCE, surface["epochs_fitted"]):
        told += (
            f"; the last rung saw its clips {surface['epochs']:.1f} times, those before it up to "
            f"{surface['epochs_fitted']:.1f} times"
        )
    return told


def rung_epochs(ladder: Rows) -> list[dict[str, Any]]:
    """Clips seen (D), different clips (U) and epochs (D / U) of every rung: of the run that repeats most."""
    return [
        max(
            (
                {**{key: row[key] for key in ("rung", "clips_seen", "clips_unique")}, "epochs": epochs(row)}
                for row in ladder
                if row["rung"] == rung
            ),
            key=lambda row: row["epochs"],
        )
        for rung in sorted({row["rung"] for row in ladder})
    ]


def _named(one: Isoflop) -> Isoflop:
    """Minima with their variables in words."""
    return replace(one, n_name=N, c_name=C, y_name=LOSS)


def _frontiers(one: Comparison) -> Comparison:
    """Frontiers with their axes in words."""
    fits = {name: replace(law, x=(C,), y=LOSS) for name, law in one.fits.items()}
    return replace(one, x=C, y=LOSS, fits=fits, group={"": "frontiers: least loss and compute"})


def _surfaces(fits: Sequence[Fit]) -> str:
    """The surface of every family cut along its sizes, and what was observed against it."""
    if not fits:
        return ""
    width, height, _ = size(4)
    panels = []
    for i, one in enumerate(fits, 1):
        named = replace(one, x=(N, D), y=LOSS)
        own = slices.panels(named, (width, height), f"surface{i}")
        panels += [
            replace(panel, title=f"{group_name(one.group)}: {words}")
            for panel, words in zip(
                own, ("the surface L(N, D)", "observed and foretold by the surface"), strict=True
            )
        ]
    return embed(Picture("Surfaces", [], panels, columns=2), "surfaces")


def beside(checkpoints: Rows) -> list[dict[str, Any]]:
    """Checkpoints beside the ladder, each with the mean loss of the ladder's at the same depth and rung.

    ``ratio`` is their quotient, both None where the ladder has no such checkpoint (as after other clips).
    """
    same: dict[tuple[str, int, int, int], list[float]] = {}
    for row in checkpoints:
        if plain(row):
            key = (row["family"], row["depth"], row["rung"], row["clips_seen"])
            same.setdefault(key, []).append(row["heldout_loss"])
    out = []
    for row in checkpoints:
        if plain(row):
            continue
        losses = same.get((row["family"], row["depth"], row["rung"], row["clips_seen"]))
        mean = sum(losses) / len(losses) if losses else None
        out.append({**row, "ladder": mean, "ratio": None if mean is None else row["heldout_loss"] / mean})
    return out
