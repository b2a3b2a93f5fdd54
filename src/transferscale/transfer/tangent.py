"""Baseline ``tangent``: covariances of whole runs in the tangent space at the mean of the training subjects.

The geometric mean is a matter of who is in it, so it is that of each fold's training subjects (all of them: their
labels are not looked at), and blocks of features are each of one fold of one task. nilearn does the arithmetic
(Varoquaux et al. 2010, MICCAI; covariances shrunk by Ledoit and Wolf 2004). With a linear model it was the best of the
classical pipelines on average in Dadi et al. (2019, NeuroImage 192).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from transferscale.medical.reading import Splits, View

Array = npt.NDArray[np.float32]


def tangent_features(view: View, splits: Splits, tasks: Sequence[str]) -> dict[str, Array]:
    """Blocks ``subject-tangent@<task>@<fold>`` (subjects, parcels * (parcels + 1) / 2), folds counted over repeats."""
    from nilearn.connectome import ConnectivityMeasure

    runs: list[list[npt.NDArray[np.float64]]] = [[] for _ in view.subjects]
    for subject, series in view.runs():
        runs[subject].append(np.asarray(view.regions(series), dtype=np.float64))
    # Runs were standardised one by one, so joined ones have no steps in them.
    joined = [np.concatenate(own) for own in runs]
    place = {subject: i for i, subject in enumerate(view.subjects)}
    found: dict[str, Array] = {}
    same: dict[tuple[str, ...], Array] = {}
    for task in tasks:
        folds = splits.folds(task)
        for repeat in range(splits.repeats(task)):
            for fold in range(folds):
                train = tuple(splits.train(task, repeat, fold, 0, "all"))
                if train not in same:
                    measure = ConnectivityMeasure(kind="tangent", vectorize=True, standardize=False)
                    measure.fit([joined[place[subject]] for subject in train])
                    same[train] = np.asarray(measure.transform(joined), dtype=np.float32)
                found[f"subject-tangent@{task}@{repeat * folds + fold}"] = same[train]
    return found
