"""What a trunk depends on, so that a rung goes on from its own trunk only."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from transferscale.artefacts import canonical_json, sha256_file
from transferscale.errors import UserError

# Parts of a rung's spec that may differ between the rungs of one trunk: where it starts and ends, and what is measured.
OWN = (
    "rung",
    "trunk_start",
    "trunk_end",
    "budget",
    "heldout_clips",
    "probes_per_decade",
    "threads",
    "compile",
)


def trunk_identity(spec: Mapping[str, Any], indexes: Sequence[Path]) -> dict[str, Any]:
    """What all rungs of a trunk share: their spec without what is a rung's own, and the tables of the clips."""
    shared = {key: value for key, value in spec.items() if key not in OWN}
    return {**shared, "clips": [sha256_file(index) for index in indexes]}


def check_identity(path: Path, found: Any, expected: Mapping[str, Any]) -> None:
    """Refuse a trunk that is not the one this rung continues.

    Raises
    ------
    UserError
        If it was trained with another spec or on other clips; the sentence names the first difference.
    """
    if not isinstance(found, Mapping):
        raise UserError(f"{path}: does not say which study it belongs to; run the rung before again")
    for key in sorted({*found, *expected}, key=lambda key: (key == "clips", key)):
        if canonical_json(found.get(key)) != canonical_json(expected.get(key)):
            if key == "clips":
                raise UserError(f"{path}: was trained on other clips; give the trunk of the rung before")
            raise UserError(
                f"{path}: is of another study, its {key} is {_text(found, key)}, here it is "
                f"{_text(expected, key)}; give the trunk of the rung before"
            )


def _text(identity: Mapping[str, Any], key: str) -> str:
    return canonical_json(identity[key]) if key in identity else "missing"
