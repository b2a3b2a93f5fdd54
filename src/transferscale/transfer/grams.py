"""The features file: inner products of a reader's features, between windows and between subjects.

Notable:
- every read-out here is a function of inner products alone, so a Gram matrix stands for features of any
  size: a read-out sees unpooled tokens at the cost of (windows x windows) numbers a layer;
- keys are ``window/<layer>`` (windows x windows) and ``subject-<block>/<layer>`` (subjects x subjects),
  float32; a block that is a matter of one task, or of the training subjects of one of its folds, says so after its
  name: ``subject-<block>@<task>/<layer>``, ``subject-<block>@<task>@<fold>/<layer>``, folds counted over repeats;
- features are shifted by their mean over all rows before the product. A read-out centres with training
  statistics, which removes any common shift exactly, so this saves digits and leaks nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from transferscale.artefacts import atomic, canonical_json, fingerprint
from transferscale.errors import UserError

Array = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Grams:
    """Inner products of a reader's features.

    Attributes
    ----------
    matrices
        ``window/<layer>`` and ``subject-<block>/<layer>`` -> square float32 matrix.
    subjects
        Names of the subjects, in the order of rows.
    windows
        Hash of the windows, in the order of rows (:func:`view_hash`).
    """

    matrices: Mapping[str, Array]
    subjects: Sequence[str]
    windows: str

    @property
    def layers(self) -> int:
        """Number of layers, the embedding included."""
        return 1 + max(int(key.rpartition("/")[2]) for key in self.matrices)

    def window_blocks(self, layer: int) -> list[Array]:
        """Blocks that a window-level kernel of a layer is made of."""
        return [self.matrices[f"window/{layer}"]]

    def subject_blocks(self, layer: int, task: str, fold: int) -> list[Array]:
        """Blocks that a subject-level kernel of a layer is made of in a fold of a task, in the order of their names."""
        names = sorted(
            key for key in self.matrices if key.startswith("subject-") and key.endswith(f"/{layer}")
        )
        whose: tuple[list[str], ...] = ([], [task], [task, str(fold)])
        return [self.matrices[name] for name in names if name.rpartition("/")[0].split("@")[1:] in whose]

    def of_folds(self, task: str) -> bool:
        """Whether a block is a matter of single folds of a task."""
        return any(key.split("@")[1:2] == [task] and key.count("@") == 2 for key in self.matrices)


def gram(features: npt.NDArray[np.floating[Any]]) -> Array:
    """Inner products (rows, rows) of ``features`` (rows, anything), shifted by the mean row."""
    flat = np.asarray(features, dtype=np.float32).reshape(len(features), -1)
    centred = flat - flat.mean(axis=0, dtype=np.float64).astype(np.float32)
    product: Array = centred @ centred.T
    return product


def view_hash(windows: Mapping[str, Sequence[Any]]) -> str:
    """Hash of a view's windows and their order: a read-out refuses the features of other windows."""
    columns = [list(windows[name]) for name in ("subject", "session", "run", "window", "start")]
    return fingerprint(columns, length=16)


def write_grams(path: Path | str, grams: Grams) -> None:
    """Write a features file (safetensors), atomically."""
    # One metadata key: safetensors does not keep the order of several, and the same features give the same
    # bytes.
    about = {"subjects": list(grams.subjects), "windows": grams.windows}
    content = save(
        {
            name: np.ascontiguousarray(matrix, dtype=np.float32)
            for name, matrix in sorted(grams.matrices.items())
        },
        metadata={"about": canonical_json(about)},
    )
    with atomic(path) as temporary:
        temporary.write_bytes(content)


def read_grams(path: Path | str) -> Grams:
    """Read a features file.

    Raises
    ------
    UserError
        If it is missing, broken, or not a features file of this package.
    """
    try:
        with safe_open(path, framework="numpy") as stream:
            about = json.loads((stream.metadata() or {}).get("about", "null"))
            matrices = {key: stream.get_tensor(key) for key in stream.keys()}  # noqa: SIM118
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except (SafetensorError, ValueError, OSError) as error:
        raise UserError(
            f"{path}: not a readable features file ({error}); extract the features again"
        ) from None
    if not isinstance(about, dict) or not any(key.endswith("/0") for key in matrices):
        raise UserError(f"{path}: not a features file of transferscale; extract the features again")
    return Grams(matrices, about["subjects"], about["windows"])
