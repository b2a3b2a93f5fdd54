"""Checks of a study against the disk: folders and columns that it names exist. Cheap; reads no recording."""

import csv
from pathlib import Path

from transferscale.errors import UserError, nearest
from transferscale.study.dataset import Dataset, NiftiRecordings
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
        if dataset.simulate is None:
            check_dataset(dataset, _data_root(study))


def _data_root(study: Study) -> str:
    return f"; data_root is '{study.data_root}', set it in the study or with --config data_root=PATH"


def check_dataset(dataset: Dataset, hint: str = "") -> None:
    """Check one dataset's root, participants table, columns and atlas."""
    root, name = Path(dataset.root), dataset.dataset
    if not root.is_dir():
        raise UserError(f"{root}: no such folder (key 'root' of dataset '{name}'){hint}")
    table = root / dataset.participants
    rows = participant_rows(dataset)
    columns, subjects = list(rows[0]), [row.get(dataset.subject_column) or "" for row in rows]
    wanted = {"subject_column": dataset.subject_column}
    wanted |= {"site_column": dataset.site_column} if dataset.site_column else {}
    wanted |= {"family_column": dataset.family_column} if dataset.family_column else {}
    for task, options in dataset.tasks.items():
        if options.kind != "state":
            wanted[f"tasks.{task}.target"] = options.target
        wanted |= {f"tasks.{task}.where": column for column in options.where}
    for key, column in wanted.items():
        if column not in columns:
            raise UserError(
                f"{table}: no column '{column}' (key '{key}' of dataset '{name}'); {nearest(column, columns)}"
            )
    if isinstance(dataset.recordings, NiftiRecordings) and not (root / dataset.recordings.atlas).is_file():
        raise UserError(
            f"{root / dataset.recordings.atlas}: no such file (key 'recordings.atlas' of dataset '{name}')"
        )
    pattern = dataset.recordings.pattern
    if "{subject}" not in pattern:
        raise UserError(f"dataset '{name}': key 'recordings.pattern' lacks {{subject}}: '{pattern}'")
    if not any(
        next(root.glob(pattern.replace("{subject}", subject)), None) for subject in subjects if subject
    ):
        example = root / pattern.replace("{subject}", subjects[0])
        raise UserError(
            f"{example}: no such file, nor for any other subject (key 'recordings.pattern' of dataset '{name}')"
        )


def participant_rows(dataset: Dataset) -> list[dict[str, str]]:
    """Rows of a dataset's participants table, at least one.

    Raises
    ------
    UserError
        If the table is missing, is no text or has no rows.
    """
    path, name = Path(dataset.root) / dataset.participants, dataset.dataset
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream, delimiter="\t"))
    except FileNotFoundError:
        raise UserError(f"{path}: no such file (key 'participants' of dataset '{name}')") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: not a UTF-8 text table (key 'participants' of dataset '{name}')") from None
    if not rows:
        raise UserError(f"{path}: the table has no rows (key 'participants' of dataset '{name}')")
    return rows
