"""What a study would run, as text."""

from collections import Counter
from collections.abc import Iterable

from transferscale.errors import UserError
from transferscale.study.beforehand import detectable_gains
from transferscale.study.cells import Cell, frozen, tasks_for
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.study.trunks import Trunk, trunks_beside


def summary(study: Study) -> str:
    """Jobs, checkpoints, read-out fits, primary claims and what is left out."""
    grid, budgets = Grid(study), study.pretrain.budgets
    families = "; ".join(f"{name} {_list(ladder.depths)}" for name, ladder in study.families.items())
    lines = [
        f"study {study.study}" + (f": {study.question}" if study.question else ""),
        f"corpus {study.corpus.name}: " + ", ".join(_source(s) for s in study.corpus.sources),
        f"pretraining ({study.pretrain.objective.name}): {len(grid.ladder())} checkpoints = "
        f"{len(list(grid.trunks()))} trunks (depths: {families}) x {budgets.rungs} rungs "
        f"({_list([budgets.at(r) for r in range(1, budgets.rungs + 1)])} clips)",
        *_beside(study),
        *([study.transfer.null] if study.transfer.null else []),
        *(_transfer(study, grid) if study.datasets else ["no dataset: pretraining alone"]),
        *(f"primary claim: {claim}" for claim in grid.claim_cells()),
        *(f"beforehand: {sentence}" for sentence in _detectable(study)),
        *(f"left out: {sentence}" for sentence in grid.left_out()),
    ]
    return "\n".join(lines)


def _beside(study: Study) -> list[str]:
    """The trunks beside the ladder, a line a corpus."""
    trunks: dict[str, list[Trunk]] = {}
    for trunk in trunks_beside(study):
        trunks.setdefault(str(trunk.label), []).append(trunk)
    return [
        f"beside it, on {label}: {sum(len(trunk.rungs) for trunk in own)} checkpoints of {len(own)} trunks"
        for label, own in trunks.items()
    ]


def _transfer(study: Study, grid: Grid) -> list[str]:
    """Datasets, label counts and jobs."""
    transfer, cells, jobs, fits = study.transfer, grid.cells(), Counter[str](), Counter[str]()
    for cell in cells:
        jobs[cell.read_out] += 1
        fits[cell.read_out] += fits_of(study, cell)
    return [
        "datasets: " + ", ".join(f"{d.dataset} ({_list(list(d.tasks))})" for d in study.datasets),
        f"labels: n = {_list(transfer.labels)}; {transfer.draws} draws; "
        f"{transfer.folds} folds x {transfer.repeats} repeats",
        f"transfer jobs: {sum(len(frozen(study, d.dataset)) for d in study.datasets)} features, "
        + ", ".join(f"{n} {name} ({fits[name]} fits)" for name, n in sorted(jobs.items())),
        *_behaviour(study, grid),
    ]


def _behaviour(study: Study, grid: Grid) -> list[str]:
    """Jobs and conditions of the section `behaviour`."""
    asked = study.behaviour
    if asked is None:
        return []
    named = [*asked.corruptions, *(["attack"] if asked.radii else []), *(["sites"] if asked.sites else [])]
    named += [f"{one.source} onto {one.to}" for one in asked.onto]
    learned = [" > ".join(tasks) for tasks in asked.continual]
    return [
        f"behaviour: {len(grid.behaviour_cells())} jobs ({_list(named) or 'clean alone'}), "
        f"{len(grid.continual_cells())} sequences ({_list(learned) or 'none'})"
    ]


def fits_of(study: Study, cell: Cell) -> int:
    """Read-outs that a prediction table holds: its tasks, folds and label draws.

    Of a dataset that holds out sites the folds are as many as its sites, which only the recordings tell; they are
    counted as ``transfer.folds``.
    """
    transfer, trained = study.transfer, study.transfer.read_outs.trained.get(cell.read_out)
    draws = 1 if cell.n_labels == "all" else trained.draws if trained else transfer.draws
    folds = 1 if cell.reader.fold >= 0 else transfer.folds * transfer.repeats
    return len(tasks_for(study, cell.read_out, cell.dataset, cell.reader)) * folds * draws


def _detectable(study: Study) -> list[str]:
    """What the claims could detect; the data need not be there yet to show a study."""
    try:
        return detectable_gains(study)
    except UserError as error:
        return [f"the smallest detectable gains cannot be told yet: {error}"]


def _source(source: object) -> str:
    kind = getattr(source, "kind", "")
    return (
        f"{getattr(source, 'files', '')} synthetic videos"
        if kind == "synthetic"
        else f"folder {getattr(source, 'path', '')}"
    )


def _list(values: Iterable[object]) -> str:
    return ", ".join(map(str, values))
