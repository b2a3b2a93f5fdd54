"""The `where` of a task: which subjects it keeps."""

from typing import Any


def matches(text: str | None, wanted: Any) -> bool:
    """Whether a cell is one of the wanted values; numbers compare as numbers, so that 3 matches 3.0."""
    if isinstance(wanted, list):
        return any(matches(text, one) for one in wanted)
    if text is None:
        return False
    if isinstance(wanted, str):
        return text == wanted
    try:
        return float(text) == float(wanted)
    except ValueError:
        return False
