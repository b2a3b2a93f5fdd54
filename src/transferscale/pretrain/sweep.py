"""`pretrain sweep`: which base learning rate suits a corpus; muP carries it to every depth.

Every learning rate and seed of one small network gets the same budget with its own warm-up and decay, as the first
rung of a study does, and is tested on the study's held-out clips. Where it pays they are trained together
(:mod:`transferscale.pretrain.stacked`); a run is the same either way, to rounding. They are never compiled.
"""

import csv
import io
import itertools
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from transferscale.artefacts import Stopwatch, write_provenance
from transferscale.errors import UserError, nearest
from transferscale.pretrain.data import ClipStream, Corpus, batches, open_corpus
from transferscale.pretrain.heldout import evaluate
from transferscale.pretrain.memory import available_bytes, refuse_what_does_not_fit
from transferscale.pretrain.objective import build_objective
from transferscale.pretrain.precision import chosen_precision
from transferscale.pretrain.probe import probe_metric, probe_score
from transferscale.pretrain.rates import Reals, best_rate, bracketed, interval
from transferscale.pretrain.schedule import schedule_of
from transferscale.pretrain.stacked import Member, Together, at_once
from transferscale.study.grid import Grid
from transferscale.study.pretrain import steps, trunk_of
from transferscale.study.study import Study
from transferscale.tables import TABLES, write_table

# Rates tried without --rates, in units of the study's.
FACTORS = (1 / 8, 1 / 4, 1 / 2, 1, 2, 4, 8)
# The least that a parabola takes.
FEWEST = 3


@dataclass(frozen=True)
class Sweep:
    """Runs of one network at several learning rates, and what they say.

    Attributes
    ----------
    rates
        Base learning rates, rising, (rates,).
    losses
        Held-out loss; infinite where a run diverged, (rates, seeds).
    probes
        Score of the read-out; NaN where it diverged or there is nothing to read, (rates, seeds).
    by_probe
        Whether the best rate is the one with the best read-out: losses of ``jepa`` do not compare.
    study_rate
        The study's base learning rate of this family.
    how
        Sentence on device, precision and how many were trained at once.
    """

    family: str
    depth: int
    parameters: int
    objective: str
    clips: int
    rates: Reals
    losses: Reals
    probes: Reals
    metric: str
    study_rate: float
    how: str

    @property
    def by_probe(self) -> bool:
        """Whether read-outs are compared, not losses."""
        return self.objective == "jepa"

    @property
    def compared(self) -> Reals:
        """What is least at the best rate, (rates, seeds)."""
        diverged = ~np.isfinite(self.losses)
        return np.where(diverged, np.inf, 1 - self.probes) if self.by_probe else self.losses

    @property
    def best(self) -> float:
        """Best base learning rate; NaN where every rate has a run that diverged."""
        return best_rate(self.rates, self.compared.mean(axis=1))

    @property
    def interval(self) -> tuple[float, float] | None:
        """95 % interval of it over seeds; None with one seed."""
        if self.losses.shape[1] < 2 or math.isnan(self.best):
            return None
        return interval(self.rates, self.compared)

    @property
    def bracketed(self) -> bool:
        """Whether rates on both sides of the best were tried."""
        return bracketed(self.compared.mean(axis=1))

    def rows(self) -> list[dict[str, Any]]:
        """Rows of table ``sweep``, a run each."""
        return [
            {
                "family": self.family,
                "depth": self.depth,
                "objective": self.objective,
                "learning_rate": float(rate),
                "seed": seed,
                "clips_seen": self.clips,
                "heldout_loss": float(self.losses[i, seed]),
                "probe": None if math.isnan(self.probes[i, seed]) else float(self.probes[i, seed]),
                "diverged": not math.isfinite(self.losses[i, seed]),
            }
            for i, rate in enumerate(self.rates)
            for seed in range(self.losses.shape[1])
        ]


def sweep(
    study: Study,
    family: str | None,
    depth: int,
    rates: Sequence[float],
    seeds: int,
    clips: int | None,
    stores: Sequence[Path],
    indexes: Sequence[Path],
    out: Path | None,
) -> Sweep:
    """Train every learning rate and seed, and test them.

    Parameters
    ----------
    family
        Of the study; None for its first.
    rates
        Base learning rates; none for seven around the study's, a factor 2 apart.
    seeds
        How many: 0, 1, ...
    clips
        Clips of a run; None for the study's first budget.
    stores, indexes
        Clip store and table of every part of the corpus; none for those in the study's results folder.
    out
        Where table ``sweep`` goes; None for nowhere.

    Raises
    ------
    UserError
        If the study has no such family, rates are too few, there are no clips yet, or the network does not fit.
    """
    watch = Stopwatch()
    tried = np.array(sorted(set(rates or [_study_rate(study, family) * factor for factor in FACTORS])))
    if len(tried) < FEWEST or not np.all(np.isfinite(tried)) or tried[0] <= 0:
        raise UserError(f"--rates: give at least {FEWEST} different rates above 0, as in 2e-3,4e-3,8e-3")
    spec = sweep_spec(study, family, depth, clips)
    if not stores and not indexes:
        stores, indexes = _own_clips(study)
    torch.set_num_threads(int(spec["threads"]))
    schedule = schedule_of(spec, continued=False)
    corpus = open_corpus(spec, stores, indexes, None, None)
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    precision = chosen_precision(spec["precision"], device)
    one = build_objective(spec, len(corpus.classes))
    batch, parts = int(spec["batch"]), int(spec["accumulate"])
    refuse_what_does_not_fit(one.encoder.scale, one.work, batch, parts)
    together = at_once(one.encoder.scale, one.work, batch // parts, device, precision, available_bytes())
    streams = [ClipStream(corpus, seed, batch, float(spec["crop"])) for seed in range(seeds)]
    losses, probes = np.full((len(tried), seeds), np.inf), np.full((len(tried), seeds), np.nan)
    # Seeds first, so that runs that share their clips are trained together.
    runs = list(itertools.product(range(seeds), range(len(tried))))
    for start in range(0, len(runs), together):
        now = runs[start : start + together]
        members = [
            Member(
                build_objective({**spec, "seed": seed}, len(corpus.classes)), float(tried[i]), streams[seed]
            )
            for seed, i in now
        ]
        course = Together(members, schedule, spec, device, precision).run()
        for (seed, i), member, own in zip(now, members, course.T, strict=True):
            if np.isfinite(own).all():
                losses[i, seed], probes[i, seed] = _tested(member, corpus, batch // parts)
    where = torch.cuda.get_device_name(device) if device.type == "cuda" else "CPU"
    trained = f"up to {together} at once" if together > 1 else "one after the other"
    found = Sweep(
        spec["model"]["family"],
        depth,
        one.encoder.scale.params_encoder,
        spec["objective"]["name"],
        schedule.end * batch,
        tried,
        losses,
        probes,
        probe_metric(corpus.heldout.labels),
        _study_rate(study, family),
        f"{precision}, {trained} on {where}",
    )
    if out is not None:
        write_table(out, "sweep", found.rows())
        speed = len(runs) * schedule.end * batch / watch.seconds
        write_provenance(out, watch, device=where, together=together, clips_per_second=round(speed, 1))
    return found


def sweep_spec(study: Study, family: str | None, depth: int, clips: int | None) -> dict[str, Any]:
    """Spec of a run: that of a first rung (``Grid.rung_spec``) which ends at ``clips``.

    Raises
    ------
    UserError
        If the study has no such family.
    """
    chosen, batch = _family(study, family), study.pretrain.batch
    budget = clips or study.pretrain.budgets.first
    if not 0 < steps(trunk_of(budget), batch) < steps(budget, batch):
        raise UserError(
            f"--clips: {budget} clips leave no step of {batch} clips for the trunk or for the decay; give at least "
            f"{5 * batch}"
        )
    return {
        **Grid(study).rung_spec(chosen, depth, 0, 1),
        "warmup_clips": round(study.pretrain.warmup * budget),
        "trunk_end": trunk_of(budget),
        "budget": budget,
    }


def _family(study: Study, family: str | None) -> str:
    chosen = family or next(iter(study.families))
    if chosen not in study.families:
        raise UserError(
            f"--family: study '{study.study}' has no '{chosen}'; {nearest(chosen, study.families)}"
        )
    return chosen


def _study_rate(study: Study, family: str | None) -> float:
    return study.pretrain.rate(_family(study, family))


def _own_clips(study: Study) -> tuple[list[Path], list[Path]]:
    """Clip store and table of every part of the study's corpus."""
    pairs = [
        (Path(study.folder, store), Path(study.folder, index)) for store, index in Grid(study).rung_inputs()
    ]
    for store, index in pairs:
        if not store.exists() or not index.exists():
            raise UserError(
                f"{store if not store.exists() else index}: no such clips yet; run 'snakemake --configfile STUDY "
                "corpus_clips' first, or give --store and --index"
            )
    return [store for store, _ in pairs], [index for _, index in pairs]


def _tested(member: Member, corpus: Corpus, batch: int) -> tuple[float, float]:
    """Held-out loss and probe of a finished network; (inf, NaN) where they are not finite."""
    found, heldout = evaluate(member.objective, batches(corpus.heldout, batch)), corpus.heldout
    loss = float(found.losses.mean())
    if not (math.isfinite(loss) and np.isfinite(found.features).all()):
        return math.inf, math.nan
    score = probe_score(found.features, heldout.labels, heldout.motion, heldout.videos)
    return loss, math.nan if score is None else score


# -- words ---------------------------------------------------------------------------------------------------------


def as_text(found: Sweep) -> str:
    """The sweep as a table, and what follows from it."""
    seeds = found.losses.shape[1]
    lines = [
        f"Learning-rate sweep: {found.family}, depth {found.depth} ({found.parameters:,} parameters), "
        f"{found.objective}, {found.clips:,} clips a run, {seeds} seed{'s' * (seeds > 1)} ({found.how}).",
        f"{'learning rate':>14}{'held-out loss':>16}{'over seeds':>20}{found.metric:>20}",
    ]
    for rate, losses, probes in zip(found.rates, found.losses, found.probes, strict=True):
        lost = int((~np.isfinite(losses)).sum())
        span = f"{losses.min():.4f} to {losses.max():.4f}"
        score = "" if np.isnan(probes).any() else f"{probes.mean():.3f}"
        more = f"  ({lost} of {seeds} diverged)" if lost else ""
        lines.append(f"{rate:>14.2e}{losses.mean():>16.4f}{span:>20}{score:>20}{more}")
    return "\n".join([*lines, *verdict(found)])


def verdict(found: Sweep) -> list[str]:
    """Sentences on the best rate, whether it is bracketed, and on the study's."""
    best, span = found.best, found.interval
    if math.isnan(best):
        return ["Every rate has a run that diverged: there is no best rate; try lower ones with --rates."]
    by = " by the read-out, because losses of jepa do not compare" if found.by_probe else ""
    over = (
        f" (95 % interval over seeds: {span[0]:.2e} to {span[1]:.2e})"
        if span
        else " (no interval: it takes two seeds, and two rates that held)"
    )
    lines = [f"Best base learning rate{by}: {best:.2e}{over}."]
    if found.bracketed:
        lines.append("It is bracketed by the rates tried.")
    else:
        side = "lowest" if best == found.rates[0] else "highest"
        lines.append(f"It is not bracketed: it is the {side} rate tried; go beyond it with --rates.")
    ratio = best / found.study_rate
    away = f"{max(ratio, 1 / ratio):.2f} times {'below' if ratio > 1 else 'above'} it"
    inside = "" if span is None else ", inside" if span[0] <= found.study_rate <= span[1] else ", outside"
    lines.append(
        f"The study's learning_rate of {found.family} is {found.study_rate:.2e}: {away}"
        f"{inside + ' of the interval' if inside else ''}. muP carries it to every depth."
    )
    return lines


def as_json(found: Sweep) -> str:
    """The sweep as JSON; a loss that is infinite is null."""
    span, best = found.interval, found.best
    runs = [{**row, "heldout_loss": None if row["diverged"] else row["heldout_loss"]} for row in found.rows()]
    told = {
        "best": None if math.isnan(best) else best,
        "low": span[0] if span else None,
        "high": span[1] if span else None,
        "bracketed": found.bracketed,
        "compared": "probe" if found.by_probe else "heldout_loss",
        "study": found.study_rate,
        "how": found.how,
        "words": verdict(found),
        "runs": runs,
    }
    return json.dumps(told, indent=2, allow_nan=False)


def as_csv(found: Sweep) -> str:
    """The rows of table ``sweep`` as text with commas."""
    out = io.StringIO()
    writer = csv.DictWriter(out, list(TABLES["sweep"].columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(found.rows())
    return out.getvalue().rstrip("\n")
