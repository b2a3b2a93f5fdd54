"""Fits as rows: the `laws` table, and the same as text."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from transferscale.scaling.fits.fit import Fit
from transferscale.tables import TABLES, write_table


def law_rows(fits: Sequence[Fit], preregistered: bool = False) -> list[dict[str, Any]]:
    """One row a parameter; a group of several columns is written as 'column value, column value'."""
    rows = []
    for found in fits:
        name = found.group.get("curve") or ", ".join(f"{key} {value}" for key, value in found.group.items())
        for parameter, value in found.params.items():
            interval = found.intervals[parameter]
            rows.append(
                {
                    "group": name,
                    "law": found.law,
                    "x": ", ".join(found.x),
                    "y": found.y,
                    "outcome": found.outcome.describe(found.y),
                    "parameter": parameter,
                    "value": value,
                    "low": interval[0] if interval else None,
                    "high": interval[1] if interval else None,
                    "identified": found.identified[parameter],
                    "n": found.n,
                    "objective": found.objective_name,
                    "rmsle_fit": found.rmsle_fit,
                    "rmsle_holdout": found.tested,
                    "baseline_rmsle": found.baselines.get("best_small"),
                    "preregistered": preregistered,
                    "warnings": found.warnings,
                }
            )
    return rows


def write_laws(path: Path, fits: Sequence[Fit], preregistered: bool = False) -> None:
    """Write the `laws` table."""
    write_table(path, "laws", law_rows(fits, preregistered))


def as_csv(fits: Sequence[Fit]) -> str:
    """The same rows as text with commas; warnings are joined by semicolons."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(TABLES["laws"].columns), lineterminator="\n")
    writer.writeheader()
    for row in law_rows(fits):
        writer.writerow({**row, "warnings": "; ".join(row["warnings"])})
    return out.getvalue()
