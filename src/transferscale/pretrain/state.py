"""The state of a rung's training in a file: written whole, checked to the last byte, loaded strictly."""

import json
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from transferscale.artefacts import atomic, canonical_json
from transferscale.errors import UserError
from transferscale.pretrain.curve import Curve
from transferscale.pretrain.identity import check_identity
from transferscale.pretrain.training import Training

# Key under which the trunk's identity lies.
OURS = "transferscale"


def parts_of(training: Training, curve: Curve) -> dict[str, Any]:
    """Everything that moves, by its name in the file."""
    average = {} if training.average is None else {"average": training.average}
    return {
        "networks": training.networks,
        "teachers": training.teachers,
        **average,
        "optimiser": training.optimiser,
        "curve": curve,
    }


def save_state(path: Path, training: Training, curve: Curve, step: int) -> None:
    """Write the state after ``step`` steps, atomically."""
    parts = {name: part.state_dict() for name, part in parts_of(training, curve).items()}
    about = {"step": step, "precision": training.precision, OURS: canonical_json(training.identity)}
    with atomic(path) as temporary:
        training.fabric.save(temporary, unshared({**about, **parts}))


def load_state(path: Path, training: Training, curve: Curve) -> None:
    """Go on from a state; names and shapes of all weights must be the same."""
    training.fabric.load(path, parts_of(training, curve), weights_only=True)


def unshared(value: Any) -> Any:
    """A value with containers of its own and one object for equal texts.

    Pickle writes an object once and refers to it where it comes again, so equal states would differ in their bytes by
    what they share: a resumed run shares other objects than one that ran through.
    """
    if isinstance(value, Mapping):
        return {unshared(key): unshared(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(map(unshared, value))
    return sys.intern(value) if isinstance(value, str) else value


def read_state(path: Path) -> dict[str, Any]:
    """What a file holds, its tensors left on disk; every byte is checked against the file's checksums.

    Raises
    ------
    UserError
        If the file is missing, damaged or not a state.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            damaged = archive.testzip()
        if damaged is not None:
            raise ValueError(f"'{damaged}' is damaged")
        found: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
        if not isinstance(found.get("step"), int):
            raise ValueError("it does not say its step")
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(
            f"{path}: not a readable trunk state ({reason}); delete it and run the rung again"
        ) from None
    return found


def check_previous(path: Path, start: int, identity: Mapping[str, Any]) -> str:
    """Refuse a trunk that this rung does not continue; return its precision.

    Raises
    ------
    UserError
        If the file is missing or damaged, of another study, or does not end at step ``start``.
    """
    state = read_state(path)
    check_identity(path, json.loads(state.get(OURS, "null")), identity)
    if (step := state["step"]) != start:
        raise UserError(
            f"{path}: ends at step {step}, but this rung starts at step {start}; give the trunk of the rung before"
        )
    return str(state["precision"])
