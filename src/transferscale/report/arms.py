"""How arms look in the drawn figures and are called everywhere; their colours are those of the interactive pictures."""

from dataclasses import dataclass, replace

from transferscale.scaling.pictures import palette
from transferscale.scaling.pictures.palette import GRID, INK, MUTED


@dataclass(frozen=True)
class Arm:
    """Label of an arm, its colour on a light and on a dark page, and its marker."""

    label: str
    light: str
    dark: str
    marker: str = "o"

    @property
    def variable(self) -> str:
        """Name of its CSS variable."""
        return "--arm-" + self.label.replace(" ", "-")


# Arms of one kind share a colour and differ by their marker.
ARMS: dict[str, Arm] = {
    "video": Arm("video", *palette.ARMS["video"]),
    "scratch": Arm("scratch", *palette.ARMS["scratch"], "s"),
    "random": Arm("random", *palette.ARMS["random"], "s"),
    "connectivity": Arm("connectivity", *palette.ARMS["connectivity"], "^"),
    "raw:linear": Arm("raw linear", *palette.ARMS["raw:linear"], "v"),
    "smooth": Arm("smooth", *palette.ARMS["smooth"], "d"),
    "spectrum": Arm("spectrum", *palette.ARMS["spectrum"], "p"),
    "drift": Arm("drift", *palette.ARMS["drift"], "D"),
    "dummy": Arm("dummy", *palette.ARMS["dummy"], "x"),
    "tangent": Arm("tangent", *palette.ARMS["connectivity"], ">"),
    "raw:mlp": Arm("raw mlp", *palette.ARMS["raw:linear"], "<"),
    "confounds": Arm("confounds", *palette.ARMS["dummy"], "+"),
    "control:static": Arm("static", *palette.ARMS["control"], "1"),
    "control:shuffled": Arm("shuffled", *palette.ARMS["control"], "2"),
    "control:phase": Arm("phase", *palette.ARMS["control"], "3"),
    "control:noise": Arm("noise", *palette.ARMS["control"], "4"),
    "fmri": Arm("fmri", *palette.ARMS["fmri"], "P"),
    "video+fmri": Arm("video+fmri", *palette.ARMS["video+fmri"], "X"),
    "hub": Arm("hub", *palette.ARMS["hub"], "*"),
}


def style_of(arm: str) -> Arm:
    """How an arm is drawn; published weights, and fractions of the corpus, have their own label."""
    kind, _, name = arm.partition(":")
    if arm in ARMS:
        return ARMS[arm]
    return replace(ARMS[kind], label=f"{kind} {name}")


METRICS = {
    "auroc": "AUROC",
    "balanced_accuracy": "balanced accuracy",
    "accuracy": "accuracy",
    "r": "r",
    "r2": "R2",
    "brier": "Brier score",
    "ece": "calibration error (ECE)",
}


def theme(dark: bool) -> dict[str, str]:
    """CSS variables of one theme."""
    side = int(dark)
    colours = {arm.variable: arm.dark if dark else arm.light for arm in ARMS.values()}
    return {"--ink": INK[side], "--grid": GRID[side], "--muted": MUTED[side], **colours}


def variables_by_colour() -> dict[str, str]:
    """CSS variable of each colour that a figure on a light page is drawn in."""
    return {colour: name for name, colour in theme(dark=False).items()}
