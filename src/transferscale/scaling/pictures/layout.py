"""How panels are arranged: their size and number in a row, their names, and axes that they share."""

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from transferscale.scaling.pictures.plane import Axis


def size(count: int) -> tuple[int, int, int]:
    """Width and height of a panel, and panels in a row, for a number of panels."""
    if count == 1:
        return 440, 300, 1
    if count <= 4:
        return 330, 230, 2
    return 260, 190, 3


def group_name(group: Mapping[str, str]) -> str:
    """A group in words: values that are numbers with their column's name, others alone."""
    words = []
    for name, value in group.items():
        try:
            float(value or "nan")
            words.append(f"{name} {value}")
        except ValueError:
            words.append(value)
    return ", ".join(words)


def shared(axes: Sequence[Axis]) -> list[Axis]:
    """One axis for all panels where none would use less than half of it; else to each its own."""
    if len(axes) < 2 or len({(axis.log, axis.title, axis.ticks) for axis in axes}) > 1:
        return list(axes)
    ends = np.array([[axis.low, axis.high] for axis in axes])
    places = np.log(ends) if axes[0].log else ends
    whole = places[:, 1].max() - places[:, 0].min()
    if (places[:, 1] - places[:, 0]).min() < 0.5 * whole:
        return list(axes)
    first = axes[0]
    low, high = float(ends[:, 0].min()), float(ends[:, 1].max())
    return [Axis(first.title, low, high, first.log, first.ticks)] * len(axes)


def differing(x: Sequence[Axis], y: Sequence[Axis]) -> list[str]:
    """A sentence where axes are not the same in all panels."""
    words = [f"{word} axes" for word, own in zip("xy", (x, y), strict=True) if len(set(own)) > 1]
    return [f"The {' and the '.join(words)} differ between the panels."] if words else []


def ending(words: str) -> str:
    """A sentence with a capital and a full stop."""
    return words[:1].upper() + words[1:] + ("" if words.endswith((".", "?", "!")) else ".")


def short(name: str, letters: int = 24) -> str:
    """A name cut to a number of letters."""
    return name if len(name) <= letters else name[: letters - 1].rstrip() + "…"


def beside(name: str) -> str:
    """A name for the end of a curve: two short lines at most."""
    return "\n".join(textwrap.wrap(name, 20, max_lines=2, placeholder="…")) or name
