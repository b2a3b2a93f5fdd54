"""How arms look and are called, everywhere: the one place that knows an arm's colour."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Arm:
    """Label of an arm, its colour on a light and on a dark page, and its marker.

    The colours are Okabe and Ito's, told apart with every common colour vision; the dark ones are lightened.
    """

    label: str
    light: str
    dark: str
    marker: str = "o"

    @property
    def variable(self) -> str:
        """Name of its CSS variable."""
        return "--arm-" + self.label.replace(" ", "-")


ARMS: dict[str, Arm] = {
    "video": Arm("video", "#0072b2", "#56b4e9"),
    "scratch": Arm("scratch", "#c44e00", "#f08a4b", "s"),
    "random": Arm("random", "#b07800", "#e6b23d", "s"),
    "connectivity": Arm("connectivity", "#007f5f", "#2fc79c", "^"),
    "raw:linear": Arm("raw linear", "#a8437e", "#e08fbd", "v"),
    "drift": Arm("drift", "#5b4bb0", "#a79bf0", "D"),
    "dummy": Arm("dummy", "#6e6e6e", "#a0a0a0", "x"),
}
# Ink, grid lines and secondary text of the figures: light, dark.
INK, GRID, MUTED = ("#202124", "#e8eaed"), ("#dcdfe4", "#3c4043"), ("#5f6368", "#9aa0a6")

METRICS = {
    "auroc": "AUROC",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "r": "r",
    "r2": "R2",
}


def theme(dark: bool) -> dict[str, str]:
    """CSS variables of one theme."""
    side = int(dark)
    colours = {arm.variable: arm.dark if dark else arm.light for arm in ARMS.values()}
    return {"--ink": INK[side], "--grid": GRID[side], "--muted": MUTED[side], **colours}


def variables_by_colour() -> dict[str, str]:
    """CSS variable of each colour that a figure on a light page is drawn in."""
    return {colour: name for name, colour in theme(dark=False).items()}
