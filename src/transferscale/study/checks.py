"""Checks of a study against the disk: folders and columns that it names exist. Cheap; reads no recording."""

import re
from pathlib import Path

from transferscale.errors import UserError, nearest
from transferscale.study.condition import Condition
from transferscale.study.dataset import RECORDING_FACTS, Dataset
from transferscale.study.people import read_people, value
from transferscale.study.study import Study


def check_inputs(study: Study) -> None:
    """Check every folder, table and column that a study names.

    Raises
    ------
    UserError
        Naming the file, the key and the nearest valid name of the first thing that is not there.
    """
    for i, source in enumerate(study.corpus.sources):
        if source.kind == "folder":
            folder = Path(source.path)
            key = f"corpus.sources.{i}.path"
            if not folder.is_dir():
                raise UserError(
                    f"{folder}: no such folder (key '{key}' of study '{study.study}'){_data_root(study)}"
                )
            if not any(path.is_file() for path in folder.rglob("*")):
                raise UserError(f"{folder}: the folder holds no file (key '{key}' of study '{study.study}')")
            if source.labels not in (None, "folder") and not Path(source.labels).is_file():
                raise UserError(
                    f"{source.labels}: no such file (key 'corpus.sources.{i}.labels' of study '{study.study}')"
                    f"{_data_root(study)}"
                )
    for dataset in study.datasets:
        if dataset.simulate is None and (dataset.fetch is None or Path(dataset.root).is_dir()):
            check_dataset(dataset, _data_root(study))


def _data_root(study: Study) -> str:
    return f"; data_root is '{study.data_root}', set it in the study or with --config data_root=PATH"


def check_dataset(dataset: Dataset, hint: str = "") -> None:
    """Check one dataset's root, participants table, columns, conditions and files."""
    root, name = Path(dataset.root), dataset.dataset
    if not root.is_dir():
        raise UserError(f"{root}: no such folder (key 'root' of dataset '{name}'){hint}; {from_here(root)}")
    rows = participant_rows(dataset)
    _check_columns(dataset, list(rows[0]) if rows else [])
    recordings = dataset.recordings
    for key in ("atlas", "stack", "coordinates"):
        named = getattr(recordings, key, None)
        if named is not None and not (root / named).is_file():
            raise UserError(f"{root / named}: no such file (key 'recordings.{key}' of dataset '{name}')")
    if recordings.kind != "bids" and recordings.pattern is not None:
        _check_pattern(dataset, recordings.pattern, [row.get(dataset.subject_column) or "" for row in rows])


def from_here(root: Path) -> str:
    """What to do about a root that is not there: a relative one counts from the working folder."""
    if root.is_absolute():
        return "correct the path"
    return f"a relative root counts from the folder that you are in, {Path.cwd()}: go to the project's, or correct it"


def _check_columns(dataset: Dataset, columns: list[str]) -> None:
    """Check that the participants table has every column that the dataset names."""
    name = dataset.dataset
    wanted = {"site_column": dataset.site_column, "family_column": dataset.family_column}
    wanted |= {"subject_column": dataset.subject_column if dataset.participants else None}
    if dataset.recordings.kind != "bids":
        wanted["recordings.path_column"] = dataset.recordings.path_column
    for task, options in dataset.tasks.items():
        if options.kind != "state":
            wanted[f"tasks.{task}.target"] = options.target
        wanted |= {f"tasks.{task}.where": column for column in options.where}
    for condition in dataset.include:
        wanted |= {
            f"include: {condition}": column
            for column in Condition.parse(condition).names
            if column not in RECORDING_FACTS
        }
    for key, column in wanted.items():
        if column is None or column in columns:
            continue
        if dataset.participants is None:
            raise UserError(
                f"dataset '{name}': key '{key}' names column '{column}', but there is no participants table; "
                "set key 'participants'"
            )
        raise UserError(
            f"{Path(dataset.root) / dataset.participants}: no column '{column}' (key '{key}' of dataset '{name}'); "
            f"{nearest(column, columns)}"
        )


def _check_pattern(dataset: Dataset, pattern: str, subjects: list[str]) -> None:
    """Check that the pattern fits a file of somebody."""
    root, name = Path(dataset.root), dataset.dataset
    if "{subject}" not in pattern:
        raise UserError(f"dataset '{name}': key 'recordings.pattern' lacks {{subject}}: '{pattern}'")
    if Path(pattern).is_absolute() or ".." in Path(pattern).parts:
        raise UserError(
            f"dataset '{name}': key 'recordings.pattern' leaves the dataset's root: '{pattern}'; give a path under root"
        )
    loose = re.sub(r"\{(session|run|task)\}", "*", pattern)
    named = [subject for subject in subjects if subject] or ["*"]
    if not any(next(root.glob(loose.replace("{subject}", subject)), None) for subject in named):
        example = root / pattern.replace("{subject}", named[0])
        more = ", nor for any other subject" if len(named) > 1 else ""
        raise UserError(f"{example}: no such file{more} (key 'recordings.pattern' of dataset '{name}')")


def participant_rows(dataset: Dataset) -> list[dict[str, str]]:
    """Rows of a dataset's participants table, at least one, missing values empty; none where it has no table.

    Raises
    ------
    UserError
        If it is no table (``people.read_people``).
    """
    if dataset.participants is None:
        return []
    try:
        people = read_people(Path(dataset.root) / dataset.participants)
    except UserError as error:
        raise UserError(f"{error} (key 'participants' of dataset '{dataset.dataset}')") from None
    return [
        {
            name: value(cell, () if name == dataset.subject_column else dataset.missing) or ""
            for name, cell in zip(people.columns, row, strict=True)
        }
        for row in people.rows
    ]
