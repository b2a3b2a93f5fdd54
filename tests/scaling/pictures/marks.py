"""What a specification draws, read back from it."""

from typing import Any

from transferscale.scaling.pictures.canvas import Panel, specification

Layer = dict[str, Any]


def layers(panel: Panel) -> list[Layer]:
    """Layers of a panel with their rows beside the mark."""
    found: list[Layer] = []
    spec = specification(panel.still())
    for layer in spec["layer"]:
        data = layer.get("data", spec.get("data", {}))
        rows = data["values"] if "values" in data else spec["datasets"][data["name"]]
        found.append({**layer["mark"], "rows": rows, "encoding": layer.get("encoding", {})})
    return found


def marks(panel: Panel, kind: str) -> list[Layer]:
    """Layers of one kind of mark."""
    return [layer for layer in layers(panel) if layer["type"] == kind]


def texts(panel: Panel) -> list[str]:
    """Words written on a plot."""
    return [row["text"] for layer in marks(panel, "text") for row in layer["rows"]]


def dashed(panel: Panel) -> list[Layer]:
    """Curves that are not solid."""
    return [layer for layer in marks(panel, "line") if "strokeDash" in layer]


def hollow(panel: Panel) -> list[dict[str, Any]]:
    """Rows of points without a filling."""
    return [row for layer in marks(panel, "point") if layer["fill"] == "#ffffff" for row in layer["rows"]]


def filled(panel: Panel) -> list[dict[str, Any]]:
    """Rows of points with one."""
    return [row for layer in marks(panel, "point") if layer["fill"] != "#ffffff" for row in layer["rows"]]


def uprights(panel: Panel) -> list[float]:
    """Places of lines over the whole height."""
    return [row["x"] for layer in marks(panel, "rule") for row in layer["rows"] if set(row) == {"x"}]


def ranges(panel: Panel) -> list[tuple[float, float]]:
    """Shaded ranges of x."""
    return [(row["x"], row["x2"]) for layer in marks(panel, "rect") for row in layer["rows"] if "x2" in row]
