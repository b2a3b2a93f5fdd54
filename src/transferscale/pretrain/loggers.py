"""Loggers for whoever wants to watch a run: Lightning's own; not part of what a rung depends on."""

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from transferscale.errors import UserError

LOGGERS = ("csv", "tensorboard")


def check_logger(name: str | None) -> None:
    """Refuse a logger whose package is missing.

    Raises
    ------
    UserError
        If it is.
    """
    if name == "tensorboard" and find_spec("tensorboard") is None and find_spec("tensorboardX") is None:
        raise UserError(
            "--logger tensorboard: package 'tensorboard' is not installed; install it, or use --logger csv"
        )


def loggers_of(name: str | None, folder: Path, version: str) -> list[Any]:
    """The logger of a name, which writes to ``folder/log/version``; none for None."""
    if name is None:
        return []
    from lightning_fabric.loggers import CSVLogger, TensorBoardLogger

    kind = CSVLogger if name == "csv" else TensorBoardLogger
    return [kind(root_dir=folder, name="log", version=version)]
