"""Permuted labels: the null of the whole stage, in which whoever scores better than chance has found a leak.

Notable:
- subject-level labels are permuted among all subjects of the task. A subject's place in the splits goes with its
  label, so that folds and label draws hold exactly the labels that they held before: no draw loses a class, and no
  fold's mean tells what the others lack, which would put a regression below chance;
- sites and families are not kept together: a label that goes with a site is then decoded by the site, and that is what
  the null is to be free of;
- what was made on the training subjects of one fold (arms ``fmri`` and ``video+fmri``, baseline ``tangent``) stays with
  that fold, and so has seen recordings of some whom a permuted study tests there. The null is right as it is: people
  are dealt to places by lot, so that who was seen goes with no label, and within a fold any two people may change
  places. It cannot tell, therefore, whether recordings of test subjects were seen; the folds themselves see to that;
- states are permuted among the labelled windows of each subject, over all its recordings, because a recording may
  hold a single state; the splits stay;
- the permutation depends on (seed, task, subjects) alone: all arms, read-outs, label counts, folds and draws share it.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from transferscale.artefacts import fingerprint
from transferscale.errors import UserError

if TYPE_CHECKING:
    from transferscale.transfer.task import Task


def permute(task: "Task", seed: int, subjects: Sequence[str]) -> "Task":
    """The task with its labels permuted.

    Parameters
    ----------
    task
        The task with its own labels.
    seed
        ``transfer.permute_labels``.
    subjects
        Subjects of the view, by name.

    Raises
    ------
    UserError
        If no subject has windows of two states, so that nothing can be permuted.
    """
    identity = [seed, task.name, list(subjects)]
    random = np.random.default_rng(int(fingerprint(identity, length=15), 16))
    y, place = task.y.copy(), np.arange(len(subjects))
    labelled = np.flatnonzero(~np.isnan(task.y))
    if task.kind != "state":
        place[labelled] = random.permutation(labelled)
        y[place[labelled]] = task.y[labelled]
        return replace(task, y=y, place=place)
    mixed = False
    for subject in np.unique(task.owner[labelled]):
        windows = labelled[task.owner[labelled] == subject]
        y[windows] = random.permutation(task.y[windows])
        mixed = mixed or len(set(y[windows].tolist())) > 1
    if not mixed:
        raise UserError(
            f"transfer.permute_labels: task '{task.name}': no subject has windows of two states, so that permuting its "
            "states changes nothing; leave the task out"
        )
    return replace(task, y=y, place=place)
