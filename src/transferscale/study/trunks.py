"""The trunks of a study: the ladder itself, and beside it control corpora, fractions, recordings and overfitting."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from transferscale.study.label import CorpusLabel
from transferscale.study.study import Study


@dataclass(frozen=True)
class Trunk:
    """One network trained on one corpus; ``rungs`` are those that become checkpoints."""

    label: CorpusLabel
    family: str
    depth: int
    seed: int
    rungs: tuple[int, ...]


def ladder_trunks(study: Study) -> list[Trunk]:
    """Trunks of the ladder: every family, depth and seed on the whole corpus, at every rung."""
    rungs = tuple(range(1, study.pretrain.budgets.rungs + 1))
    return [
        trunk
        for family, ladder in study.families.items()
        for trunk in _at(study, CorpusLabel(study.corpus.name), ladder.depths, rungs, [family])
    ]


def trunks_beside(study: Study) -> list[Trunk]:
    """Trunks beside the ladder: on control corpora, on nested fractions, on recordings, and far past overfitting."""
    pretrain, name = study.pretrain, study.corpus.name
    trunks: list[Trunk] = []
    if pretrain.controls:
        for control in study.controls:
            label = CorpusLabel(name, control=control)
            trunks += _at(study, label, pretrain.controls.depths, pretrain.controls.rungs)
    if pretrain.fraction_runs:
        for fraction in pretrain.fractions:
            label = CorpusLabel(name, fraction=fraction)
            trunks += _at(study, label, pretrain.fraction_runs.depths, pretrain.fraction_runs.rungs)
    if pretrain.medical:
        for dataset in pretrain.medical.datasets:
            for arm in pretrain.medical.arms:
                for fold in range(study.transfer.folds * study.transfer.repeats):
                    label = CorpusLabel(name if arm == "video+fmri" else "", dataset, fold=fold)
                    trunks += _at(study, label, pretrain.medical.depths, pretrain.medical.rungs)
    if pretrain.overfit:
        first = next(iter(study.families))
        family = pretrain.overfit.family or first
        label = CorpusLabel(name, fraction=pretrain.overfit.fraction)
        trunks += _at(study, label, pretrain.overfit.depths, [1], [family])
    return trunks


def _at(
    study: Study,
    label: CorpusLabel,
    depths: Iterable[int],
    rungs: Iterable[int | Literal["last"]],
    families: Sequence[str] = (),
) -> list[Trunk]:
    numbers = tuple(sorted({study.rung(rung) for rung in rungs}))
    return [
        Trunk(label, family, depth, seed, numbers)
        for family in families or study.families
        for depth in depths
        if depth in study.families[family].depths
        for seed in range(study.families[family].seeds.at(depth))
    ]


def overfits(study: Study, label: CorpusLabel) -> bool:
    """Whether trunks on this corpus go far past overfitting."""
    overfit = study.pretrain.overfit
    return overfit is not None and label.fraction == overfit.fraction


def parts(study: Study, label: CorpusLabel) -> list[dict[str, Any]]:
    """Parts that a corpus is read from.

    Each has its weight in the stream (None: by number of clips), and says whether its clips are mirrored and cropped.
    """
    sources = study.corpus.sources
    share = study.pretrain.medical.with_corpus if label.dataset and study.pretrain.medical else None
    found: list[dict[str, Any]] = []
    if label.corpus:
        name = str(CorpusLabel(label.corpus, control=label.control, fraction=label.fraction))
        if sources[0].weight is None:
            found.append(_part(name, None, label.fraction, share))
        else:
            total = sum(source.weight or 0.0 for source in sources)
            of = 1.0 if share is None else share
            found += [
                _part(f"{name}/{i}:{s.kind}", f"{i}:{s.kind}", label.fraction, of * (s.weight or 0.0) / total)
                for i, s in enumerate(sources)
            ]
    if label.dataset:
        weight = None if share is None or not label.corpus else 1 - share
        own = str(CorpusLabel(dataset=label.dataset, fold=label.fold))
        # A recording is laid out by parcel: mirrored or cropped it would be another one.
        found.append(_part(own, None, 1.0, weight, augment=False))
    return found


def _part(
    name: str, source: str | None, fraction: float, weight: float | None, augment: bool = True
) -> dict[str, Any]:
    return {"name": name, "source": source, "fraction": fraction, "weight": weight, "augment": augment}


def fold_task(study: Study, dataset: str) -> str:
    """Task whose folds recordings are pretrained in: that of the dataset's primary claim, else its first."""
    claimed = [claim.task for claim in study.verdict if study.claim_dataset(claim) == dataset]
    return (claimed or list(study.dataset(dataset).tasks))[0]
