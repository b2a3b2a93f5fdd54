"""Tasks of a study in the order in which the page tells of them: those with a claim first."""

from dataclasses import dataclass

from transferscale.report.arms import METRICS
from transferscale.study.study import Study

READ_OUTS = {
    "ridge": "frozen read-out",
    "attentive": "attentive probe",
    "fpt": "norms and tokenizer trained",
    "lora": "low-rank adapters",
    "full": "full fine-tuning",
}


@dataclass(frozen=True)
class TaskOf:
    """A task of a dataset; ``primary`` where a claim was declared for it."""

    dataset: str
    task: str
    metric: str
    primary: bool

    @property
    def name(self) -> str:
        """Its name in tables."""
        return f"{self.dataset}/{self.task}"

    @property
    def metric_words(self) -> str:
        """Its metric as the page calls it."""
        return METRICS[self.metric]


def tasks(study: Study) -> list[TaskOf]:
    """All tasks, those with a claim first and in the order of the claims."""
    claims = [(study.claim_dataset(claim), claim.task) for claim in study.verdict]
    found = [
        TaskOf(dataset.dataset, name, task.metric, (dataset.dataset, name) in claims)
        for dataset in study.datasets
        for name, task in dataset.tasks.items()
    ]
    return sorted(
        found, key=lambda one: claims.index((one.dataset, one.task)) if one.primary else len(claims)
    )


def shown_depth(study: Study, of: TaskOf) -> int:
    """Depth of the label-count curves: the claim's, else the largest that is run."""
    for claim in study.verdict:
        if (study.claim_dataset(claim), claim.task) == (of.dataset, of.task):
            return claim.depth
    full = study.transfer.read_outs.full
    if full is not None:
        return max(full.depths)
    return max(depth for ladder in study.families.values() for depth in ladder.depths)
