"""Predictions written down before the largest run, and whether they held.

The file carries what was fitted (law, options, points), the prediction for a new run with its 95 % interval, and a
hash of all that, so that a later edit shows.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from transferscale.artefacts import fingerprint, read_json, write_json
from transferscale.errors import UserError
from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.fits.mixture import Mixture
from transferscale.scaling.laws.base import along
from transferscale.scaling.metrics import Reals

# Format 1 held a hash of the points, which cannot be checked in a table that has grown.
NAME, FORMAT = "transferscale preregistration", "transferscale preregistration 2"

# What a fit must share with a registered one to be judged by it, and how a sentence calls it.
OPTIONS = {"x": "scale", "outcome": "outcome", "objective": "objective", "equation": "equation"}


@dataclass(frozen=True)
class Judged:
    """A fit's registered predictions, each with what was observed, and what must be said of them.

    A prediction has ``x``, ``value`` and ``low`` and ``high`` (95 % interval of one new run) as registered, and
    ``runs`` (how many there are at that scale), ``inside`` (how many of them lie in that interval), ``observed``
    (their mean in the logarithm of the error), ``mean_low`` and ``mean_high`` (95 % interval of the mean of so many
    runs) and ``held`` (whether the mean lies in it); without runs the last four are None.
    """

    predictions: list[dict[str, Any]]
    warnings: list[str]


def preregister(fits: Sequence[Fit], at: Reals, path: Path) -> dict[str, Any]:
    """Write predictions of every fit at new scales, shape (scales, variables), and return what was written.

    Raises
    ------
    UserError
        If the file exists, a scale is not beyond the points, two fits are of one law and group, or a fit has no
        intervals.
    """
    if Path(path).exists():
        raise UserError(f"{path}: exists; a preregistration is not overwritten, choose another file")
    named = Counter(_name(fit.law, fit.group) for fit in fits)
    if twice := [name for name, times in named.items() if times > 1]:
        raise UserError(f"{path}: {twice[0]} is fitted twice; register it once")
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
    middle, law_low, law_high = fit.curve(at)
    if interval is None or law_low is None or law_high is None:
        raise UserError(
            "a preregistration needs intervals: give --bootstrap, and a --cluster with 3 runs or more"
        )
    for scale in at:
        if along(fit.form, np.log(scale)) <= along(fit.form, fit.log_points).max():
            raise UserError(
                f"--at {','.join(f'{v:g}' for v in scale)}: not beyond the fitted points, so nothing is predicted"
            )
    ends = {"low": interval[0], "high": interval[1], "law_low": law_low, "law_high": law_high}
    return {
        "group": fit.group,
        "law": fit.law,
        **_options(fit),
        "y": fit.y,
        "params": fit.params,
        "n": fit.n,
        "points": sorted(_rows(fit.points, fit.values)),
        "predictions": [
            {
                "x": list(map(float, at[i])),
                "value": float(middle[i]),
                **{name: float(end[i]) for name, end in ends.items()},
            }
            for i in range(len(at))
        ],
    }


def _options(fit: Fit) -> dict[str, Any]:
    return {
        "equation": fit.form.equation,
        "x": list(fit.x),
        "outcome": fit.outcome.describe(fit.y),
        "objective": fit.objective_name,
    }


def _rows(points: Reals, values: Reals) -> list[list[float]]:
    return [[*map(float, x), float(y)] for x, y in zip(points, values, strict=True)]


def read_preregistration(path: Path) -> dict[str, Any]:
    """Read a preregistration.

    Raises
    ------
    UserError
        If it is none, is of another format, or was changed after it was written.
    """
    found: dict[str, Any] = read_json(path)
    name = str(found.get("format", "")) if isinstance(found, dict) else ""
    if not name.startswith(NAME):
        raise UserError(f"{path}: not a preregistration written by `transferscale scaling fit --preregister`")
    if name != FORMAT:
        raise UserError(
            f"{path}: format '{name}', where this version reads '{FORMAT}'; judge it with the version that wrote it"
        )
    body = {key: value for key, value in found.items() if key != "sha256"}
    if fingerprint(body, 64) != found.get("sha256"):
        raise UserError(
            f"{path}: changed after it was written (its hash does not fit); use the original file"
        )
    return found


def judge(
    registered: Mapping[str, Any], fits: Sequence[Fit], path: Path
) -> tuple[list[Judged | None], list[str]]:
    """Whether the predictions of a file held, for every fit of the laws and groups that were registered.

    Returns
    -------
    judged, left_out
        One entry a fit, None where it has no prediction; and a sentence for each fit that could not be judged and
        each registered law that has no fit, so that no prediction is passed over in silence.

    Raises
    ------
    UserError
        If nothing can be judged.
    """
    judged: list[Judged | None] = []
    left_out = []
    for fit in fits:
        try:
            judged.append(held(registered, fit, path))
        except UserError as error:
            judged.append(None)
            left_out.append(str(error))
    if left_out and not any(judged):
        raise UserError(left_out[0] + (f" (and {len(left_out) - 1} more such)" if left_out[1:] else ""))
    there = {_name(fit.law, fit.group) for fit in fits}
    names = [_name(one["law"], one["group"]) for one in registered["fits"]]
    left_out += [
        f"{path}: {name} was registered and is not fitted here; fit it as well"
        for name in names
        if name not in there
    ]
    return judged, left_out


def held(registered: Mapping[str, Any], fit: Fit, path: Path) -> Judged:
    """Whether the predictions by this fit's law for its group held on its points, held-out ones among them.

    The mean of the runs at a registered scale is judged by the 95 % interval of a mean of so many runs, which lies
    between that of one run and that of the law: the variance of runs about the law is divided by their number, that
    of the law is not. A scale without runs has ``observed`` None.

    Raises
    ------
    UserError
        If the file says nothing of this law and group, or registered it with other options.
    """
    own = _registered(registered, fit, path)
    x = np.concatenate([fit.points, fit.held_points])
    y = np.concatenate([fit.values, fit.held_values])
    left = Counter(map(_key, own["points"])) - Counter(map(_key, _rows(x, y)))
    changed = left.total()
    warnings = []
    if changed:
        many = f"{changed} of {len(own['points'])} registered points"
        warnings.append(f"{many} are no longer in the table as they were when {path} was written")
    predictions = []
    for one in own["predictions"]:
        here = np.isclose(np.log(x), np.log(one["x"]), rtol=0, atol=1e-9).all(1)
        predictions.append({**one, **_seen(one, y[here], fit)})
    return Judged(predictions, warnings)


def _registered(registered: Mapping[str, Any], fit: Fit, path: Path) -> dict[str, Any]:
    """The registered fit of the same law and group.

    Raises
    ------
    UserError
        If there is none, or it had other options.
    """
    of_group = [one for one in registered["fits"] if one["group"] == fit.group and one["y"] == fit.y]
    if not of_group:
        raise UserError(f"{path}: holds no prediction of '{fit.y}' for {_group(fit.group)}")
    own = next((one for one in of_group if one["law"] == fit.law), None)
    if own is None:
        laws = ", ".join(f"'{one['law']}'" for one in of_group)
        raise UserError(
            f"{path}: {_name(fit.law, fit.group)} was not registered, only {laws}; give --law as it was then"
        )
    for key, now in _options(fit).items():
        # The weights of a mixture are found anew in every table.
        if now != own[key] and not (key == "equation" and isinstance(fit.form, Mixture)):
            raise UserError(
                f"{path}: {_name(fit.law, fit.group)} was registered with {OPTIONS[key]} {_told(own[key])}, not "
                f"{_told(now)}; give the options of then"
            )
    found: dict[str, Any] = own
    return found


def _seen(one: Mapping[str, Any], y: Reals, fit: Fit) -> dict[str, Any]:
    """The runs at a registered scale, and whether their mean lies in the interval of a mean of so many."""
    runs = len(y)
    inside = int(((y >= one["low"]) & (y <= one["high"])).sum())
    if not runs:
        nothing = dict.fromkeys(("observed", "mean_low", "mean_high", "held"))
        return {"runs": 0, "inside": 0, **nothing}
    low, high = _of_mean(one, runs, fit)
    observed = float(y[0]) if runs == 1 else float(fit.outcome.value(np.exp(_log(y, fit).mean())))
    return {
        "runs": runs,
        "inside": inside,
        "observed": observed,
        "mean_low": low,
        "mean_high": high,
        "held": bool(low <= observed <= high),
    }


def _of_mean(one: Mapping[str, Any], runs: int, fit: Fit) -> tuple[float, float]:
    """95 % interval of the mean of so many runs, in the unit of the column."""
    if runs == 1:
        return one["low"], one["high"]
    law = _log(np.array([one["law_low"], one["law_high"]]), fit)
    single = _log(np.array([one["low"], one["high"]]), fit)
    middle = law.mean()
    of_law, of_one = (law - middle) ** 2, (single - middle) ** 2
    half = np.sqrt(of_law + np.maximum(of_one - of_law, 0) / runs)
    ends = fit.outcome.value(np.exp(middle + np.sign(single - middle) * half))
    return float(ends[0]), float(ends[1])


def _log(y: Reals, fit: Fit) -> Reals:
    """Logarithm of the error."""
    log: Reals = np.log(fit.outcome.error(y))
    return log


def _key(row: Iterable[float]) -> tuple[str, ...]:
    """A point as it is compared: what rounding leaves alone."""
    return tuple(f"{value:.9g}" for value in row)


def _name(law: str, group: Mapping[str, str]) -> str:
    return f"law '{law}' for {_group(group)}"


def _group(group: Mapping[str, str]) -> str:
    return ", ".join(f"{key} {value}" for key, value in group.items()) or "this table"


def _told(value: Any) -> str:
    return f"'{', '.join(value) if isinstance(value, list) else value}'"
