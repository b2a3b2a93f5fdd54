"""Predictions written down before the largest run, and whether they held.

The file carries what was fitted (law, options, a hash of the points), the prediction for a new run with its
95 % interval, and a hash of all that, so that a later edit shows.
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import fingerprint, read_json, write_json
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.metrics import Reals

FORMAT = "transferscale preregistration 1"


def points_hash(points: Reals, values: Reals) -> str:
    """SHA-256 of the fitted points, whatever their order."""
    rows = sorted([*map(float, x), float(y)] for x, y in zip(points, values, strict=True))
    return fingerprint(rows, 64)


def preregister(fits: Sequence[Fit], at: Reals, path: Path) -> dict[str, Any]:
    """Write predictions of every fit at new scales, shape (scales, variables), and return what was written.

    Raises
    ------
    UserError
        If the file exists, a scale is not beyond the points, or a fit has no intervals.
    """
    if Path(path).exists():
        raise UserError(f"{path}: exists; a preregistration is not overwritten, choose another file")
    body = {
        "format": FORMAT,
        "written": datetime.now(UTC).isoformat(timespec="seconds"),
        "fits": [_prediction(fit, at) for fit in fits],
    }
    written = {**body, "sha256": fingerprint(body, 64)}
    write_json(path, written)
    return written


def _prediction(fit: Fit, at: Reals) -> dict[str, Any]:
    if at.shape[1] != fit.points.shape[1]:
        raise UserError(
            f"--at: law '{fit.law}' takes {fit.points.shape[1]} values of scale, found {at.shape[1]}"
        )
    interval = fit.new_run(at)
    if interval is None:
        raise UserError(
            "a preregistration needs intervals: give --bootstrap, and a --cluster with 3 runs or more"
        )
    for scale in at:
        if np.log(scale).sum() <= fit.log_points.sum(1).max():
            raise UserError(
                f"--at {','.join(f'{v:g}' for v in scale)}: not beyond the fitted points, so nothing is predicted"
            )
    low, high = interval
    return {
        "group": fit.group,
        "law": fit.law,
        "equation": fit.form.equation,
        "x": list(fit.x),
        "y": fit.y,
        "outcome": fit.outcome.describe(fit.y),
        "objective": fit.objective_name,
        "params": fit.params,
        "n": fit.n,
        "points_sha256": points_hash(fit.points, fit.values),
        "predictions": [
            {"x": list(map(float, x)), "value": float(v), "low": float(a), "high": float(b)}
            for x, v, a, b in zip(at, fit.predict(at), low, high, strict=True)
        ],
    }


def read_preregistration(path: Path) -> dict[str, Any]:
    """Read a preregistration.

    Raises
    ------
    UserError
        If it is none, or was changed after it was written.
    """
    found = read_json(path)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise UserError(f"{path}: not a preregistration written by `transferscale scaling fit --preregister`")
    body = {key: value for key, value in found.items() if key != "sha256"}
    if fingerprint(body, 64) != found.get("sha256"):
        raise UserError(
            f"{path}: changed after it was written (its hash does not fit); use the original file"
        )
    return found


def held(registered: dict[str, Any], fit: Fit, path: Path) -> list[dict[str, Any]]:
    """Whether the predictions for this fit's group held on its points.

    Points of a preregistered scale are averaged (in the logarithm of the error); a scale without points has
    ``observed`` None.

    Raises
    ------
    UserError
        If the file says nothing of this group and columns.
    """
    own = [one for one in registered["fits"] if one["group"] == fit.group and one["y"] == fit.y]
    if not own or own[0]["x"] != list(fit.x):
        raise UserError(
            f"{path}: holds no prediction of '{fit.y}' by {', '.join(fit.x)} for {fit.group or 'this table'}"
        )
    x = np.concatenate([fit.points, fit.held_points])
    y = np.concatenate([fit.values, fit.held_values])
    out = []
    for one in own[0]["predictions"]:
        here = np.isclose(np.log(x), np.log(one["x"]), rtol=0, atol=1e-9).all(1)
        observed = (
            float(fit.outcome.value(np.exp(np.log(fit.outcome.error(y[here])).mean())))
            if here.any()
            else None
        )
        inside = None if observed is None else bool(one["low"] <= observed <= one["high"])
        out.append({**one, "observed": observed, "runs": int(here.sum()), "held": inside})
    return out
