"""A picture of one recording as its view lays it out: frames, mean map, carpet plot, motion."""

import csv
import json
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from transferscale.artefacts import atomic
from transferscale.errors import UserError, nearest
from transferscale.medical.confounds import MOTION
from transferscale.medical.index import index
from transferscale.medical.readers import stretch_of
from transferscale.medical.reading import View
from transferscale.medical.view import build
from transferscale.study.grid import Grid
from transferscale.study.view import View as ViewOptions
from transferscale.tables import read_table, write_table

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

Float = npt.NDArray[np.floating[Any]]

FRAMES = 6
# Rows of a carpet plot; more cannot be told apart.
CARPET = 600
SPREAD = 2.5
FD_MM = 0.5
SIDES = {"flatmap": "; left hemisphere above", "mosaic": "; left is left"}


def show(grid: Grid, subject: str | None, views: Sequence[str], size: int | None, out: Path) -> list[Path]:
    """Draw one recording, a picture a view.

    Parameters
    ----------
    grid
        Of a study whose only dataset is the one to show.
    subject
        Whose recording; the first one's by default.
    views
        Kinds of view; the dataset's own by default.
    size
        Side of a clip in pixels; the study's by default.
    out
        Folder for ``<dataset>_<view>_<subject>.png``.

    Raises
    ------
    UserError
        If there is no such subject, or a view cannot be made.
    """
    (dataset,) = grid.study.datasets
    name = dataset.dataset
    pictures = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        index(grid.recordings_spec(name), folder / "all.parquet", folder / "quarantine.parquet")
        rows = read_table(folder / "all.parquet", "recordings").to_pylist()
        left_out = read_table(folder / "quarantine.parquet", "recordings").to_pylist()
        row = _first(rows, left_out, subject, name)
        write_table(folder / "recordings.parquet", "recordings", [row])
        for kind in views or [dataset.view.kind]:
            spec = grid.view_spec(name)
            if kind != dataset.view.kind:
                options = TypeAdapter(ViewOptions).validate_python({"kind": kind})
                other = dataset.model_copy(update={"view": options})
                spec = Grid(grid.study.model_copy(update={"datasets": [other]})).view_spec(name)
            build({**spec, "size": size or spec["size"]}, folder / "recordings.parquet", folder / kind, 1)
            motion = displacement(Path(dataset.root), row)
            picture = out / f"{name}_{kind}_{_file_name(row['subject'])}.png"
            figure = draw(View(folder / kind), row, motion)
            with atomic(picture) as unfinished:
                # No software version inside: the same data, the same bytes.
                figure.savefig(unfinished, format="png", dpi=110, metadata={"Software": None})
            pictures.append(picture)
    return pictures


def _file_name(subject: str) -> str:
    """A subject as part of a file's name: a table may write anything, slashes among it."""
    return re.sub(r"[^\w-]+", "_", subject)


def _first(
    rows: Sequence[Mapping[str, Any]], left_out: Sequence[Mapping[str, Any]], subject: str | None, name: str
) -> dict[str, Any]:
    """The first recording of a subject."""
    for row in sorted(rows, key=lambda row: (row["subject"], row["session"], row["run"], row["path"])):
        if subject in (None, row["subject"]):
            return dict(row)
    for row in left_out:
        if row["subject"] == subject:
            raise UserError(
                f"--subject: no recording of '{subject}' in dataset '{name}' is usable; {row['path'] or 'none found'}: "
                f"{row['reason']}"
            )
    raise UserError(
        f"--subject: dataset '{name}' has no usable recording of '{subject}'; "
        f"{nearest(subject or '', {row['subject'] for row in rows})}"
    )


def displacement(root: Path, row: Mapping[str, Any]) -> Float | None:
    """Framewise displacement (volumes,) in mm of a recording with a confounds table, NaN where it is not known."""
    path = json.loads(row["files"]).get("confounds")
    if path is None:
        return None
    with (root / path).open(encoding="utf-8-sig", newline="") as stream:
        cells = [line.get(MOTION, "") for line in csv.DictReader(stream, delimiter="\t")]
    values = np.array([float(cell) if _is_number(cell) else np.nan for cell in cells])
    if (stretch := stretch_of(row)) is not None:
        values = values[stretch.first : stretch.first + stretch.volumes]
    return None if np.isnan(values).all() else values


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def draw(view: View, row: Mapping[str, Any], motion: Float | None) -> "Figure":
    """The picture of the only recording of a view."""
    from matplotlib.figure import Figure

    entry = view.recordings[0]
    series = np.asarray(view.series)[: entry["volumes"]]
    tr_s = float(view.contract["tr_s"][0])
    heights = [0.85, 1.25, 1.6] + ([0.55] if motion is not None else [])
    figure = Figure(figsize=(10, 2.6 * sum(heights)), layout="constrained")
    figure.suptitle(_title(view, row, tr_s), fontsize=10, x=0.01, ha="left")
    parts: Any = figure.subfigures(len(heights), 1, height_ratios=heights)
    _draw_frames(parts[0], view, tr_s)
    _draw_maps(parts[1], view)
    seconds = np.arange(len(series)) * tr_s
    _draw_carpet(parts[2], series, seconds, entry["scrubbed"])
    if motion is not None:
        _draw_motion(parts[3].subplots(), motion, float(row["tr_s"]))
    return figure


def _title(view: View, row: Mapping[str, Any], tr_s: float) -> str:
    parts = [str(row["dataset"]), f"view {view.contract['view']}", str(row["subject"]), str(row["path"])]
    volumes = view.recordings[0]["volumes"]
    lengths = f"windows of {view.contract['windows']['volumes']} volumes: {len(view)}"
    space = f"space {row['space'] or 'not stated'}{SIDES.get(view.contract['view'], '')}"
    return f"{' | '.join(parts)}\n{volumes} volumes, every {tr_s:g} s; {lengths}; {space}"


def _draw_frames(part: Any, view: View, tr_s: float) -> None:
    """Frames of the first window, evenly spaced."""
    clip = view.clips([0])[0]
    picked = np.unique(np.linspace(0, len(clip) - 1, FRAMES).round().astype(int))
    spread = SPREAD * float(clip[:, view.layout >= 0].std()) or 1.0
    axes = part.subplots(1, len(picked), squeeze=False)[0]
    start = int(view.windows["start"][0])
    for axis, frame in zip(axes, picked.tolist(), strict=True):
        shown = np.ma.masked_where(view.layout < 0, clip[frame])
        image = axis.imshow(shown, cmap="RdBu_r", vmin=-spread, vmax=spread, interpolation="nearest")
        axis.set_title(f"{(start + frame) * tr_s:.1f} s", fontsize=8)
        _bare(axis)
    bar = part.colorbar(image, ax=axes.tolist(), shrink=0.8, pad=0.01)
    bar.set_label(
        "first window, SD" if view.contract["cleaning"]["standardize"] else "first window", fontsize=8
    )
    bar.ax.tick_params(labelsize=7)


def _draw_maps(part: Any, view: View) -> None:
    """Mean as recorded and SD after cleaning, a pixel a column."""
    axes = part.subplots(1, 2)
    spread = float(np.median(view.moments[0, 1]))
    for axis, values, name in zip(
        axes, np.asarray(view.moments[0]), ("mean, as recorded", "SD over time, after cleaning"), strict=True
    ):
        shown = np.ma.masked_where(view.layout < 0, values[view.layout])
        low, high = _limits(shown.compressed(), spread)
        image = axis.imshow(shown, cmap="viridis", vmin=low, vmax=high, interpolation="nearest")
        axis.set_title(name, fontsize=8)
        bar = part.colorbar(image, ax=axis, shrink=0.9, pad=0.01)
        bar.ax.tick_params(labelsize=7)
        _bare(axis)


def _limits(values: Float, spread: float) -> tuple[float, float]:
    """Ends of the colours: all but the outermost values, and no narrower than would show rounding as structure."""
    low, high = np.quantile(values, [0.02, 0.98])
    wanted = 0.05 * spread or 1.0
    if high - low < wanted:
        low, high = (low + high - wanted) / 2, (low + high + wanted) / 2
    return float(low), float(high)


def _draw_carpet(part: Any, series: Float, seconds: Float, scrubbed: Sequence[int]) -> None:
    """Every column a row, z-scored, over time (Power 2017, NeuroImage 154:150); scrubbed volumes are marked."""
    varying = np.ptp(series, axis=0) > 0
    columns = np.flatnonzero(varying)
    picked = columns[np.linspace(0, len(columns) - 1, min(CARPET, len(columns))).round().astype(int)]
    rows = series[:, picked].T
    rows = (rows - rows.mean(axis=1, keepdims=True)) / rows.std(axis=1, keepdims=True)
    axis = part.subplots()
    step = seconds[1] - seconds[0] if len(seconds) > 1 else 1.0
    image = axis.imshow(
        rows,
        aspect="auto",
        cmap="gray",
        vmin=-SPREAD,
        vmax=SPREAD,
        interpolation="nearest",
        extent=(0, seconds[-1] + step, len(rows), 0),
    )
    for volume in scrubbed:
        axis.axvspan(volume * step, (volume + 1) * step, color="tab:red", alpha=0.35, linewidth=0)
    more = f", {len(picked)} of {len(columns)}" if len(picked) < len(columns) else ""
    marked = "; red: scrubbed" if len(scrubbed) else ""
    axis.set_title(f"carpet: every column over time, z-scored{marked}", fontsize=8, loc="left")
    axis.set_ylabel(f"column{more}", fontsize=8)
    axis.set_xlabel("seconds", fontsize=8)
    axis.tick_params(labelsize=7)
    bar = part.colorbar(image, ax=axis, pad=0.01)
    bar.ax.tick_params(labelsize=7)


def _draw_motion(axis: "Axes", motion: Float, tr_s: float) -> None:
    """Framewise displacement over the whole recording."""
    axis.plot(np.arange(len(motion)) * tr_s, motion, color="black", linewidth=0.8)
    axis.axhline(FD_MM, color="tab:red", linewidth=0.8, linestyle="--")
    axis.set_xlim(0, len(motion) * tr_s)
    axis.set_ylim(0, max(1.1 * float(np.nanmax(motion)), 1.2 * FD_MM))
    above = int(np.sum(motion > FD_MM))
    axis.set_title(
        f"framewise displacement, mm: mean {np.nanmean(motion):.2f}, {above} volumes above {FD_MM:g}",
        fontsize=8,
        loc="left",
    )
    axis.set_xlabel("seconds", fontsize=8)
    axis.tick_params(labelsize=7)


def _bare(axis: "Axes") -> None:
    axis.set_xticks([])
    axis.set_yticks([])
    for spine in axis.spines.values():
        spine.set_visible(False)
