"""Colours of pictures, on a light and on a dark page, told apart with every common colour vision."""

from collections.abc import Iterable

Colour = tuple[str, str]
"""A colour on a light and on a dark page."""

INK: Colour = ("#202124", "#e8eaed")
MUTED: Colour = ("#5f6368", "#9aa0a6")
GRID: Colour = ("#dcdfe4", "#3c4043")
PAPER: Colour = ("#ffffff", "#16181c")
WARNING: Colour = ("#b3261e", "#f28b82")

# Okabe and Ito's, lightened for a dark page; arms keep theirs in every picture.
ARMS: dict[str, Colour] = {
    "video": ("#0072b2", "#56b4e9"),
    "scratch": ("#c44e00", "#f08a4b"),
    "random": ("#b07800", "#e6b23d"),
    "connectivity": ("#007f5f", "#2fc79c"),
    "raw:linear": ("#a8437e", "#e08fbd"),
    "smooth": ("#7b5e57", "#bfa49c"),
    "spectrum": ("#8a6d00", "#d9c04a"),
    "drift": ("#5b4bb0", "#a79bf0"),
    "dummy": ("#6e6e6e", "#a0a0a0"),
    "control": ("#7a6a00", "#c9b83a"),
    "fmri": ("#b3123f", "#f47a99"),
    "video+fmri": ("#6b2fa8", "#c39af0"),
    "hub": ("#006f8a", "#4cc3dd"),
}
SERIES: tuple[Colour, ...] = tuple(
    ARMS[name] for name in ("video", "scratch", "connectivity", "raw:linear", "drift", "random", "dummy")
)
# From the least to the largest of an ordered variable.
RAMP: tuple[Colour, ...] = (
    ("#b35900", "#f6b26b"),
    ("#c2384f", "#f08a8a"),
    ("#9c2f7a", "#dd8ac4"),
    ("#65389a", "#b79be0"),
    ("#2b4fa2", "#8fb0f0"),
    ("#0b3c5d", "#9fd3e8"),
)


def series(names: Iterable[str]) -> dict[str, str]:
    """A colour (light) for every name: an arm's own, or else the next that is free; grey when none is left."""
    known = list(dict.fromkeys(names))
    taken = {ARMS[name] for name in known if name in ARMS}
    free = [colour for colour in SERIES[:-1] if colour not in taken]
    out = {}
    for name in known:
        colour = ARMS[name] if name in ARMS else free.pop(0) if free else SERIES[-1]
        out[name] = colour[0]
    return out


def ramp(count: int) -> list[str]:
    """Colours (light) of ``count`` ordered curves, at most as many as there are in the ramp."""
    if count == 1:
        return [RAMP[-2][0]]
    return [RAMP[round(i * (len(RAMP) - 1) / (count - 1))][0] for i in range(count)]


def pairs() -> dict[str, str]:
    """Dark colour of every light one."""
    return dict([INK, MUTED, GRID, PAPER, WARNING, *ARMS.values(), *RAMP])
