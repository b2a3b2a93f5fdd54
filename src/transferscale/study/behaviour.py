"""The `behaviour` section: what is asked of a read-out beside its accuracy, and where."""

from typing import TYPE_CHECKING, Annotated, Literal, get_args

from pydantic import ConfigDict, Field, field_validator

from transferscale.study.base import DISTINCT, Depths, Part, Positive
from transferscale.study.dataset import Dataset
from transferscale.study.transfer import LABEL_ORDERS, LabelCount, rising

if TYPE_CHECKING:
    from transferscale.study.study import Study

Corruption = Literal["tr", "noise", "spikes", "parcels", "hemisphere", "sign"]
CORRUPTIONS: tuple[Corruption, ...] = get_args(Corruption)

# How much of each corruption the severities 1 to 5 are; what it is of stands in transfer.behaviour.corruption.
SEVERITIES: dict[str, tuple[float, ...]] = {
    "tr": (0.9, 0.8, 0.7, 0.6, 0.5),
    "noise": (0.25, 0.5, 1.0, 2.0, 4.0),
    "spikes": (0.05, 0.1, 0.2, 0.3, 0.4),
    "parcels": (0.1, 0.2, 0.3, 0.5, 0.7),
    "hemisphere": (0.2, 0.4, 0.6, 0.8, 1.0),
    "sign": (0.1, 0.2, 0.3, 0.4, 0.5),
}

Arm = Literal["video", "random", "scratch", "raw:linear"]
ReadOut = Literal["ridge", "full"]
# Arms that a read-out can start from.
ARMS_OF: dict[str, tuple[str, ...]] = {
    "ridge": ("video", "random", "raw:linear"),
    "full": ("video", "scratch"),
}


class Onto(Part):
    """A task learned on one dataset and asked of all subjects of another."""

    model_config = ConfigDict(populate_by_name=True)

    source: str = Field(alias="from", description="task that is learned, as 'dataset/task'")
    to: str = Field(description="dataset that has the same task (target, kind, transform, classes)")


class Behaviour(Part):
    """Behaviour beyond accuracy: under corruption, attack, at other sites, on other datasets, and after other tasks."""

    depths: Depths = Field(description="depths that are asked")
    rungs: Annotated[list[Positive | Literal["last"]], DISTINCT] = Field(
        ["last"], min_length=1, description="rungs that are asked"
    )
    labels: list[LabelCount] = Field(min_length=1, description="label counts")
    seeds: Positive = Field(
        1, description="pretraining and initialisation seeds, at most as many as a depth has"
    )
    draws: Positive = Field(
        1, description="label draws; of read-out full the draws a seed, as in transfer.read_outs.full"
    )
    tasks: Annotated[list[str], DISTINCT] | None = Field(
        None, description="tasks, as 'dataset/task'; default: all. `continual` names its own"
    )
    arms: Annotated[list[Arm], DISTINCT] = Field(
        ["video", "random", "scratch", "raw:linear"], min_length=1, description="what is read out"
    )
    read_outs: Annotated[list[ReadOut], DISTINCT] = Field(
        ["ridge", "full"],
        min_length=1,
        description="ridge: the last layer, of arms video, random, raw:linear; full: as "
        "transfer.read_outs.full says, of arms video and scratch",
    )
    corruptions: Annotated[list[Corruption], DISTINCT] = Field(
        [], description="corruptions of the test recordings, each at five severities"
    )
    radii: list[Annotated[float, Field(gt=0)]] = Field(
        [],
        description="largest changes of an attack on the input, in units of the window's SD; severities 1, 2, ...",
    )
    sites: bool = Field(
        False, description="whether every site is also tested with labelled subjects of other sites alone"
    )
    onto: Annotated[list[Onto], DISTINCT] = Field(
        [], description="tasks that are also tested on another dataset"
    )
    continual: list[Annotated[list[str], DISTINCT, Field(min_length=2)]] = Field(
        [], description="sequences of tasks, each 'dataset/task', that one network learns one after another"
    )

    _labels_rise = field_validator("labels")(rising)

    @field_validator("radii")
    @classmethod
    def _radii_rise(cls, value: list[float]) -> list[float]:
        if sorted(set(value)) != value:
            raise ValueError("radii must rise and not repeat")
        return value


def knows_hemispheres(dataset: Dataset) -> bool:
    """Whether a view tells left columns from right ones (``transfer.behaviour.hemisphere``)."""
    view, recordings = dataset.view, dataset.recordings
    if view.kind == "mosaic":
        return "sagittal" not in view.planes
    if view.kind != "roi":
        return True
    placed = any(getattr(recordings, key, None) is not None for key in ("atlas", "coordinates"))
    return view.order == "spatial" or (view.order == "auto" and placed)


def why_no_sites(dataset: Dataset) -> str:
    """Why a dataset's sites are not left out one after another, empty where they are."""
    if dataset.site_column is None:
        return "it has no site_column"
    if dataset.hold_out == "sites":
        return "its ordinary folds are sites already"
    return ""


def task_onto(source: Dataset, task: str, target: Dataset) -> str:
    """The task of ``target`` that asks the same as a task of ``source``; empty for none."""

    def asked(dataset: Dataset, name: str) -> tuple[object, ...]:
        one = dataset.tasks[name]
        return one.target, one.kind, one.transform, one.classes

    same = [name for name in target.tasks if asked(target, name) == asked(source, task)]
    return task if task in same else next(iter(same), "")


def check_behaviour(study: "Study") -> None:
    """Check that what `behaviour` asks of the rest of the study is there.

    Raises
    ------
    ValueError
        Naming the key, and what to do.
    """
    asked = study.behaviour
    if asked is None:
        return
    _check_where(study, asked)
    for name in asked.tasks or []:
        study.task(*name.partition("/")[::2])
    datasets = study.datasets
    if asked.corruptions == ["hemisphere"] and not any(map(knows_hemispheres, datasets)):
        raise ValueError(
            "behaviour.corruptions: no dataset's view tells hemispheres apart; give recordings.atlas or "
            "recordings.coordinates, choose view flatmap, or leave 'hemisphere' out"
        )
    if asked.sites and all(map(why_no_sites, datasets)):
        why = "; ".join(f"'{dataset.dataset}': {why_no_sites(dataset)}" for dataset in datasets)
        raise ValueError(f"behaviour.sites: no dataset has sites to leave out ({why}); set it to false")
    if asked.sites and asked.labels == ["all"]:
        raise ValueError(
            "behaviour.sites compares equally many labels with and without a site, which 'all' are not; add a number "
            "to behaviour.labels"
        )
    for onto in asked.onto:
        _check_onto(study, onto)
    for tasks in asked.continual:
        for name in tasks:
            dataset, _, task = name.partition("/")
            study.task(dataset, task)
            if study.dataset(dataset).hold_out == "sites":
                raise ValueError(
                    f"behaviour.continual: dataset '{dataset}' holds out sites, so its folds do not go with those of "
                    f"other tasks; leave '{name}' out"
                )


def _check_where(study: "Study", asked: Behaviour) -> None:
    """Check depths, rungs, read-outs, arms and draws."""
    known = sorted({depth for ladder in study.families.values() for depth in ladder.depths})
    for depth in asked.depths:
        if depth not in known:
            raise ValueError(f"behaviour.depths has {depth}, which no ladder of pretrain has ({known})")
    rungs = [study.rung(rung) for rung in asked.rungs]
    if max(rungs) > study.pretrain.budgets.rungs:
        raise ValueError(
            f"behaviour.rungs has {max(rungs)}, but pretrain.budgets.rungs is {study.pretrain.budgets.rungs}"
        )
    if len(set(rungs)) < len(rungs):
        raise ValueError(
            f"behaviour.rungs: 'last' is rung {study.rung('last')}, which stands there too; delete one"
        )
    if "full" in asked.read_outs and study.transfer.read_outs.full is None:
        raise ValueError(
            "behaviour.read_outs has 'full', but the study has no transfer.read_outs.full, which says how to train; "
            "add it, or write read_outs: [ridge]"
        )
    for read_out in asked.read_outs:
        if not set(ARMS_OF[read_out]) & set(asked.arms):
            raise ValueError(
                f"behaviour.arms has none that read-out '{read_out}' can start from ({', '.join(ARMS_OF[read_out])})"
            )
    most = asked.draws * (asked.seeds if "full" in asked.read_outs else 1)
    if most > LABEL_ORDERS:
        raise ValueError(f"behaviour.draws times seeds is {most}; at most {LABEL_ORDERS}")


def _check_onto(study: "Study", onto: Onto) -> None:
    name, _, task = onto.source.partition("/")
    study.task(name, task)
    source, target = study.dataset(name), study.dataset(onto.to)
    if source.dataset == target.dataset:
        raise ValueError(f"behaviour.onto: '{onto.source}' is of dataset '{onto.to}' itself; name another")
    if source.view != target.view:
        raise ValueError(
            f"behaviour.onto: '{name}' and '{onto.to}' are laid out in different views, so a network would not find "
            "the same place at the same pixel; give both the same view"
        )
    if not task_onto(source, task, target):
        raise ValueError(
            f"behaviour.onto: dataset '{onto.to}' has no task with the target, kind, transform and classes of "
            f"'{onto.source}'; add one or delete the line"
        )
