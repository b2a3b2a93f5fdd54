"""The answer in words: one sentence a primary claim, and the known answers that the run must reproduce.

Pure functions, used by the page and by the command line.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from transferscale.errors import UserError
from transferscale.report.arms import METRICS
from transferscale.scaling.gains.verdict import negligible
from transferscale.study.corpus import CONTROLS
from transferscale.study.study import Study
from transferscale.study.transfer import BASELINES
from transferscale.study.verdict import Claim

Rows = Sequence[Mapping[str, Any]]

WORDS = {
    "helps": "HELPS here",
    "hurts": "HURTS here",
    "equivalent": "makes NO DIFFERENCE THAT MATTERS here",
    "inconclusive": "is INCONCLUSIVE here",
}
HEADLINES = {
    "helps": "pretraining helps",
    "hurts": "pretraining hurts",
    "equivalent": "no difference that matters",
    "inconclusive": "inconclusive",
}
MEANINGS = {
    "equivalent": "Whatever difference there may be is smaller than the smallest effect of interest.",
    "inconclusive": "These data neither show a difference nor rule out one that matters.",
}


@dataclass(frozen=True)
class Box:
    """A claim as the page tells it: what was found in a few words, what that means, what was compared."""

    headline: str
    meaning: str
    compared: str
    beside: str
    sesoi: float
    warnings: Sequence[str]


@dataclass(frozen=True)
class KnownResult:
    """A known answer and what this run made of it."""

    dataset: str
    task: str
    arm: str
    n_labels: str
    metric: str
    at_least: float
    value: float
    reached: bool
    source: str
    sentence: str

    def as_json(self) -> dict[str, Any]:
        """The result as plain JSON values."""
        return asdict(self)


def known_answers(study: Study, scores: Rows) -> list[KnownResult]:
    """Compare the baselines with the figures that they must reproduce on this data.

    Raises
    ------
    UserError
        If the score of a known answer is not among ``scores``.
    """
    results = []
    for known in study.known_answers:
        dataset, n_labels = study.claim_dataset(known), str(known.n_labels)
        key = (dataset, known.task, known.arm, n_labels, known.metric)
        value = _score(scores, key)
        if value is None:
            raise UserError(
                f"study '{study.study}': known_answers: no score of {known.arm} on {dataset}/{known.task} "
                f"at n = {n_labels} in {known.metric}; run `transferscale scaling gain` again"
            )
        reached = value >= known.at_least
        source = f" ({known.source})" if known.source else ""
        sentence = (
            f"{dataset}/{known.task}: {known.arm} scored {METRICS[known.metric]} {value:.3f} and "
            + ("reaches" if reached else "MISSES")
            + f" the known {known.at_least:g}{source}"
            + ("." if reached else ": THE RUN IS WRONG, believe nothing below until this is explained.")
        )
        results.append(KnownResult(*key, known.at_least, value, reached, known.source, sentence))
    return results


def _score(scores: Rows, key: tuple[str, str, str, str, str]) -> float | None:
    for row in scores:
        if (row["dataset"], row["task"], row["arm"], row["n_labels"], row["metric"]) == key:
            return float(row["value"])
    return None


def primary_rows(study: Study, gains: Rows) -> list[Mapping[str, Any]]:
    """The row of `gains` of every primary claim, in the order of the study.

    Raises
    ------
    UserError
        If a claim has no row.
    """
    rows = []
    for claim in study.verdict:
        dataset = study.claim_dataset(claim)
        own = [r for r in gains if r["primary"] and (r["dataset"], r["task"]) == (dataset, claim.task)]
        if not own:
            raise UserError(
                f"study '{study.study}': verdict: no gain of {dataset}/{claim.task}; "
                "run `transferscale scaling gain` again"
            )
        rows.append(own[0])
    return rows


def sentences(study: Study, gains: Rows, scores: Rows) -> list[str]:
    """One sentence a primary claim (with its controls), in the order of the study."""
    return [
        sentence(study, claim, row, scores, gains)
        for claim, row in zip(study.verdict, primary_rows(study, gains), strict=True)
    ]


def sentence(study: Study, claim: Claim, row: Mapping[str, Any], scores: Rows, gains: Rows = ()) -> str:
    """What one primary claim found; the smallest detectable gain stands before the gain."""
    word = WORDS[row["verdict"]]
    if _small(claim, row):
        word += ", below the smallest effect of interest"
    text = (
        f"{study.claim_dataset(claim)}/{claim.task}: pretraining on {corpus_words(study)} {word}: "
        f"{_compared(claim, row)}; smallest detectable gain {row['detectable']:.2f}, "
        f"gain {row['estimate']:+.2f}, 95 % interval {row['low']:+.2f} to {row['high']:+.2f} "
        f"(smallest effect of interest {claim.sesoi:g})"
    )
    if _uncorrected(row):
        text += (
            f"; this does not survive Holm's correction over {len(study.verdict)} claims "
            f"(p = {row['p_holm']:.2f})"
        )
    if _disputed(row):
        text += f"; {_cautious(row)}"
    controls = against_controls(row, gains)
    text += f"; against other pretraining: {controls}" if controls else ""
    beside = _beside(study, claim, scores)
    return text + (f"; beside it: {beside}" if beside else "") + "."


def against_controls(row: Mapping[str, Any], gains: Rows) -> str:
    """Gains of a claim's arm over control corpora and over recordings, where its cell was compared with them."""
    same = ("dataset", "task", "read_out", "reader_group", "n_labels", "metric")
    found = [
        f"{other['reference']} {other['estimate']:+.2f} ({other['low']:+.2f} to {other['high']:+.2f})"
        for other in gains
        if other is not row
        and all(other[key] == row[key] for key in same)
        and other["reference"] in OTHER_PRETRAINING
    ]
    return ", ".join(found)


def boxes(study: Study, gains: Rows, scores: Rows) -> list[Box]:
    """Every primary claim for the page, in the order of the study."""
    several = len({study.claim_dataset(claim) for claim in study.verdict}) > 1
    found = []
    for claim, row in zip(study.verdict, primary_rows(study, gains), strict=True):
        name = f"{study.claim_dataset(claim)}/{claim.task}" if several else claim.task
        headline, meaning = HEADLINES[row["verdict"]], [MEANINGS.get(row["verdict"], "")]
        if _small(claim, row):
            headline += ", too little to matter"
            meaning.append("The effect lies below the smallest effect of interest.")
        if _uncorrected(row):
            headline += ", but not after correction"
            meaning.append(f"It does not survive Holm's correction over {len(study.verdict)} claims.")
        if _disputed(row):
            # Which test, and its interval, stand among the warnings.
            headline += ", but a more cautious test disagrees"
        compared = _compared(claim, row)
        found.append(
            Box(
                f"{name}: {headline}",
                " ".join(filter(None, meaning)),
                compared[0].upper() + compared[1:] + ".",
                _beside(study, claim, scores),
                claim.sesoi,
                row["warnings"],
            )
        )
    return found


def _small(claim: Claim, row: Mapping[str, Any]) -> bool:
    """Whether help or harm is too small to matter."""
    return row["verdict"] in ("helps", "hurts") and negligible(row["low90"], row["high90"], claim.sesoi)


def _uncorrected(row: Mapping[str, Any]) -> bool:
    """Whether help or harm is lost when all claims are corrected for."""
    return row["verdict"] in ("helps", "hurts") and row["p_holm"] is not None and row["p_holm"] > 0.05


def _disputed(row: Mapping[str, Any]) -> bool:
    """Whether the corrected resampled t-test finds nothing where the bootstrap finds help or harm."""
    return (
        row["verdict"] in ("helps", "hurts")
        and row["nb_low"] is not None
        and row["nb_low"] <= 0 <= row["nb_high"]
    )


def _cautious(row: Mapping[str, Any]) -> str:
    return (
        "the corrected resampled t-test over the folds, more cautious with few of them, does not find it "
        f"({row['nb_low']:+.2f} to {row['nb_high']:+.2f})"
    )


def _compared(claim: Claim, row: Mapping[str, Any]) -> str:
    arm, reference = _arms(claim)
    labelled = (
        f"all {row['n_train']:.0f} labelled subjects of a fold"
        if str(claim.n_labels) == "all"
        else f"{claim.n_labels} labelled subjects"
    )
    return (
        f"{arm} scored {METRICS[claim.metric]} {row['arm_value']:.2f}, {reference} "
        f"{row['reference_value']:.2f}, with {labelled} and {row['n_subjects']} tested"
    )


def _beside(study: Study, claim: Claim, scores: Rows) -> str:
    """Scores of the baselines where the claim was tested."""
    dataset = study.claim_dataset(claim)
    beside = [
        f"{name} {value:.2f}"
        for name in BASELINES
        if name != claim.reference
        and (value := _score(scores, (dataset, claim.task, name, str(claim.n_labels), claim.metric)))
        is not None
    ]
    return ", ".join(beside)


# References that were pretrained too, on something else.
OTHER_PRETRAINING = (*(f"control:{name}" for name in CONTROLS), "fmri", "video+fmri")

# How a sentence speaks of a read-out: what is done, and what without pretraining.
WAYS = {
    "ridge": ("a frozen read-out of", "of random weights"),
    "attentive": ("an attentive probe of", "of random weights"),
    "fpt": ("norms and tokenizer trained on", "on random weights"),
    "lora": ("low-rank adapters on", "on random weights"),
    "full": ("full fine-tuning from", "from scratch"),
}


def _arms(claim: Claim) -> tuple[str, str]:
    way, without = WAYS[claim.read_out]
    arm = f"{way} the depth-{claim.depth} checkpoint"
    return arm, without if claim.reference in ("random", "scratch") else claim.reference


def corpus_words(study: Study) -> str:
    """What the corpus may be called: never natural video where it was synthetic or lacks its controls."""
    kinds = {source.kind for source in study.corpus.sources}
    if kinds == {"synthetic"}:
        return "synthetic motion"
    credit = (
        "natural video is credited only for what it has above its controls"
        if study.controls
        else "natural video is not credited without controls"
    )
    if "synthetic" in kinds:
        return f"the mixed corpus '{study.corpus.name}' (videos and synthetic motion; {credit})"
    return f"the video corpus '{study.corpus.name}' ({credit})"
