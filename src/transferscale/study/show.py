"""What a study would run, as text."""

from collections import Counter
from collections.abc import Iterable

from transferscale.errors import UserError
from transferscale.study.beforehand import detectable_gains
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
    transfer, cells = study.transfer, Counter(cell.read_out for cell in grid.cells())
    return [
        "datasets: " + ", ".join(f"{d.dataset} ({_list(list(d.tasks))})" for d in study.datasets),
        f"labels: n = {_list(transfer.labels)}; {transfer.draws} draws; "
        f"{transfer.folds} folds x {transfer.repeats} repeats",
        f"transfer jobs: {len(study.datasets) * len(grid.frozen())} features, "
        + ", ".join(f"{n} {name}" for name, n in sorted(cells.items())),
    ]


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
