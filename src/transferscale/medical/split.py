"""Outer folds and nested label orders, fixed before anything is trained (docs/design.md, rule 6)."""

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import Stopwatch, atomic, canonical_json, write_provenance
from transferscale.errors import UserError
from transferscale.medical.audit import audit
from transferscale.medical.labels import Labels, labels
from transferscale.medical.reading import splits_hash
from transferscale.study.transfer import LABEL_ORDERS

Int = npt.NDArray[np.int64]

# Strata of a continuous target; fewer where a stratum would not reach every fold.
QUANTILES = 5


def split(spec: Mapping[str, Any], recordings: Path, out: Path) -> None:
    """Write splits.json.

    Parameters
    ----------
    spec
        ``study.grid.Grid.split_spec``; label counts and number of draws are not in it, and nothing here
        depends on them.
    recordings
        The recordings table.
    out
        JSON: ``{dataset, subjects, tasks: {task: {kind, classes, subjects, excluded, repeats}}, hash}``;
        ``repeats`` is a list of repeats, each a list of folds ``{test, train, orders}``; all subjects are
        indices into ``subjects``.

    Raises
    ------
    UserError
        If a class has fewer subjects (or families) than there are folds, sites cannot be held out, or the leak audit
        finds something.
    """
    watch = Stopwatch()
    found = {name: labels(recordings, task) for name, task in spec["tasks"].items()}
    subjects = sorted({subject for task in found.values() for subject in task.subjects})
    number = {subject: i for i, subject in enumerate(subjects)}
    tasks: dict[str, Any] = {}
    for name, task in found.items():
        if spec["hold_out"] == "sites":
            check_sites(task, name)
        else:
            check_enough(task, spec["folds"], name)
        place = np.array([number[subject] for subject in task.subjects], dtype=np.int64)
        tasks[name] = {
            "kind": task.kind,
            "classes": task.classes,
            "subjects": place.tolist(),
            "excluded": task.removed,
            "repeats": [
                _repeat(task, place, name, spec, repeat)
                # There is one way to leave every site out once.
                for repeat in range(spec["repeats"] if spec["hold_out"] == "subjects" else 1)
            ],
        }
    content: dict[str, Any] = {"dataset": spec["dataset"], "subjects": subjects, "tasks": tasks}
    content["hash"] = splits_hash(content)
    audit(content, recordings)
    with atomic(out) as temporary:
        temporary.write_text(canonical_json(content) + "\n")
    write_provenance(out, watch, subjects=len(subjects), tasks=len(tasks), hash=content["hash"])


def _repeat(
    task: Labels, place: Int, name: str, spec: Mapping[str, Any], repeat: int
) -> list[dict[str, Any]]:
    seed = spec["seed"]
    if spec["hold_out"] == "sites":
        sites = sorted(set(task.sites))
        folds, fold_of = len(sites), np.array([sites.index(site) for site in task.sites], dtype=np.int64)
        strata = stratify(task, folds)
    else:
        folds = spec["folds"]
        strata = stratify(task, folds)
        fold_of = assign_folds(strata, task.families, folds, _generator(seed, name, repeat))
    parts = []
    for fold in range(folds):
        train = np.flatnonzero(fold_of != fold)
        orders = [
            label_order(strata[train], _generator(seed, name, repeat, fold, draw))
            for draw in range(LABEL_ORDERS)
        ]
        parts.append(
            {
                "test": place[fold_of == fold].tolist(),
                "train": place[train].tolist(),
                "orders": [place[train[order]].tolist() for order in orders],
            }
        )
    return parts


def _generator(seed: int, task: str, *numbers: int) -> np.random.Generator:
    """A generator of its own for every task, repeat, fold and draw, so that adding one leaves the others as
    they are."""
    name = int.from_bytes(hashlib.sha256(task.encode()).digest()[:4], "big")
    return np.random.default_rng([seed & (2**63 - 1), int(seed < 0), name, *numbers])


def check_enough(task: Labels, folds: int, name: str) -> None:
    """Check that every fold can hold every class, and at all somebody.

    Raises
    ------
    UserError
        If a class, or the task, has fewer subjects or fewer families than there are folds.
    """
    groups = {"": np.arange(len(task.subjects))}
    groups |= {f", class '{label}'": np.flatnonzero(task.y == i) for i, label in enumerate(task.classes)}
    for what, members in groups.items():
        families = {task.families[i] for i in members}
        if len(families) < folds:
            of = f" of {len(families)} families" if len(families) < len(members) else ""
            raise UserError(
                f"task '{name}'{what}: {len(members)} subjects{of} are fewer than the {folds} folds; "
                "lower transfer.folds"
            )


def check_sites(task: Labels, name: str) -> None:
    """Check that sites can be held out one after another.

    Raises
    ------
    UserError
        If a subject has no site, there is one site alone, a family lives at two, or a class at one alone.
    """
    where = f"task '{name}': key 'hold_out' is sites, but"
    if "" in task.sites:
        raise UserError(
            f"{where} subject '{task.subjects[task.sites.index('')]}' has none; fill in site_column"
        )
    sites = sorted(set(task.sites))
    if len(sites) < 2:
        raise UserError(f"{where} all subjects are at '{sites[0]}'; hold out subjects")
    first: dict[str, str] = {}
    for family, site in zip(task.families, task.sites, strict=True):
        if first.setdefault(family, site) != site:
            raise UserError(
                f"{where} family '{family}' is at '{first[family]}' and '{site}', on both sides "
                "of a fold; hold out subjects"
            )
    for i, label in enumerate(task.classes):
        held = {site for site, y in zip(task.sites, task.y, strict=True) if y == i}
        if len(held) < 2:
            raise UserError(
                f"{where} class '{label}' is at '{min(held)}' alone, so nobody is left to learn it from; "
                "hold out subjects"
            )


def stratify(task: Labels, folds: int) -> Int:
    """Stratum of every subject: its class, its quantile of a continuous target, or 0 for a state task."""
    if task.kind == "state":
        return np.zeros(len(task.subjects), dtype=np.int64)
    if task.kind == "classification":
        return task.y.astype(np.int64)
    bins = max(1, min(QUANTILES, len(task.y) // folds))
    rank = np.argsort(np.argsort(task.y, kind="stable"), kind="stable")
    strata: Int = rank * bins // len(rank)
    return strata


def assign_folds(strata: Int, families: Sequence[str], folds: int, rng: np.random.Generator) -> Int:
    """Fold of every subject (subjects,): families together, strata and sizes as even as can be.

    Families are shuffled, large ones first, and each goes to the fold that has fewest subjects of its strata,
    then fewest subjects, then by lot.
    """
    members: dict[str, list[int]] = {}
    for i, family in enumerate(families):
        members.setdefault(family, []).append(i)
    groups = [members[family] for family in sorted(members)]
    groups = [groups[i] for i in rng.permutation(len(groups))]
    # Stratum by stratum, so that a rare class is dealt out before sizes are levelled by the others.
    rarity = Counter(strata.tolist())
    groups.sort(key=lambda group: (-len(group), min((rarity[int(strata[i])], int(strata[i])) for i in group)))
    held = np.zeros((folds, int(strata.max()) + 1), dtype=np.int64)
    fold_of = np.zeros(len(strata), dtype=np.int64)
    for group in groups:
        own = np.bincount(strata[group], minlength=held.shape[1])
        lot = rng.random(folds)
        best = min(range(folds), key=lambda f: (int(held[f] @ own), int(held[f].sum()), lot[f]))
        fold_of[group] = best
        held[best] += own
    return fold_of


def label_order(strata: Int, rng: np.random.Generator) -> Int:
    """An order of subjects whose every prefix is as near to the strata's proportions as can be: (subjects,).

    The first entries cover the strata once, in random order; then the stratum that is furthest below its
    share follows, ties by lot. Within a stratum the order is random. n = 8 is a prefix of n = 16.
    """
    kinds = np.unique(strata)
    waiting = {int(k): rng.permutation(np.flatnonzero(strata == k)).tolist() for k in kinds}
    share = {k: len(people) / len(strata) for k, people in waiting.items()}
    taken = dict.fromkeys(waiting, 0)
    order: list[int] = []
    for k in rng.permutation(kinds).tolist():
        order.append(waiting[k].pop())
        taken[k] += 1
    while len(order) < len(strata):
        lot = {k: rng.random() for k in waiting}
        open_ones = [k for k, people in waiting.items() if people]
        # Rounded, so that equal shortfalls are ties and not decided by the last bit.
        k = max(open_ones, key=lambda k: (round(share[k] * (len(order) + 1) - taken[k], 9), lot[k]))
        order.append(waiting[k].pop())
        taken[k] += 1
    return np.array(order, dtype=np.int64)
