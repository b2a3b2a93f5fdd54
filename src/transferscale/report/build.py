"""The page of a study: reads its tables, draws its figures and pictures, writes ``index.html`` and the verdict."""

import base64
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from transferscale import __version__
from transferscale.artefacts import Stopwatch, atomic, fingerprint, read_json, write_json, write_provenance
from transferscale.errors import UserError
from transferscale.report import behaviour, comparisons, losses, plans, pretraining
from transferscale.report.arms import METRICS, theme
from transferscale.report.figures import draw
from transferscale.report.foretold import predictor_words
from transferscale.report.verdict import boxes, corpus_words, known_answers, primary_rows, sentences
from transferscale.scaling.comparisons.compare import Comparison
from transferscale.scaling.curves import arm_curves, compared, fitted, scale_curves
from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.pictures import fit as law_pictures
from transferscale.scaling.pictures.page import embed, head
from transferscale.scaling.rungs import analysis
from transferscale.study.dataset import UNITS
from transferscale.study.grid import Grid
from transferscale.study.study import Study
from transferscale.tables import read_table
from transferscale.versions import STAGE_VERSION

Row = Mapping[str, Any]

PACKAGES: tuple[str, ...] = (
    "torch",
    "lightning-fabric",
    "numpy",
    "scipy",
    "pyarrow",
    "scikit-learn",
    "nilearn",
    "nibabel",
)
PACKAGES += ("decord", "av", "matplotlib", "altair", "vl-convert-python", "snakemake")
STATISTICS = {
    "spectrum_slope": ("slope of the spatial power spectrum", -3.4),
    "gradient_kurtosis": ("kurtosis of the gradient", 30.0),
    "frame_difference": ("frame difference, in SD", 0.14),
}
ARMS_NOTE = (
    "video: the encoder pretrained on the corpus of this study. control: the same on spoiled clips (static, "
    "shuffled, phase, noise). fmri, video+fmri: pretrained on the recordings of a fold's training subjects, "
    "without their labels. hub: published weights. random: the same encoder with random weights. scratch: trained "
    "from random weights on the labelled subjects alone. Baselines without an encoder: connectivity (linear model "
    "of the correlations between parcels), tangent (the same in the tangent space), raw linear and raw mlp (of "
    "the windows), smooth (raw linear of windows averaged over neighbouring volumes), drift (raw linear on slow "
    "trends alone), spectrum (linear model of each parcel's log power), confounds (no brain at all), dummy (no "
    "features: a guess). Bars and bands are 95 % intervals."
)


def build(study: Study, out: Path) -> None:
    """Write the page of a study from its results folder.

    Writes ``index.html`` (self-contained), ``figures/*.svg`` and ``*.png``, ``verdict.json`` (``study``,
    ``run_ok``, ``verdicts``: a sentence a claim, or without claims what pretraining showed, ``known_answers``,
    ``claims``) and ``verdict.txt``.

    Raises
    ------
    UserError
        If a table is missing, lacks a column or is older than what it was made from, a claim has no gain, a known
        answer no score, or the plan no FLOP rate.
    """
    watch = Stopwatch()
    results, out = Path(study.folder), Path(out)
    scored = results / "scaling" / "scores.parquet"

    def rows(name: str, table: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = read_table(results / f"{name}.parquet", table).to_pylist()
        return found

    # A study of pretraining alone has no scores and no gains.
    scores = rows("scaling/scores", "scores") if study.datasets else []
    gains = rows("scaling/gains", "gains") if study.datasets else []
    laws = rows("scaling/laws", "laws")
    crossovers = rows("scaling/crossovers", "crossovers")
    planned = rows("scaling/plan", "plan") if study.plan else []
    checkpoints, ladder = rows("tables/checkpoints", "checkpoints"), rows("tables/ladder", "ladder")
    # The tables hold numbers; the pictures need the fitted curves, which the same functions give again.
    fits, not_fitted = fitted(results / "tables" / "curves.parquet")
    side_by_side, not_compared = compared(results / "tables" / "arms.parquet")
    ways, not_planned = plans.planned(study, scored, results / "tables" / "checkpoints.parquet")
    not_fitted += scale_curves(study, checkpoints, scores)[1]
    not_compared += arm_curves(study, checkpoints, scores)[1]
    # Without datasets there are no arms, and nothing is missed.
    not_compared = not_compared if study.datasets else []
    surfaces, no_surface = analysis.surfaces(results / "tables" / "ladder.parquet")
    minima, no_minimum = analysis.minima(results / "tables" / "ladder.parquet")
    pretrained = pretraining.section(
        pretraining.Tables(
            ladder=ladder,
            checkpoints=checkpoints,
            prediction=rows("scaling/prediction", "rung_prediction"),
            hindsight=rows("scaling/hindsight", "rung_test"),
            isoflop=rows("scaling/isoflop", "isoflop"),
            laws=[*rows("scaling/surface", "laws"), *rows("scaling/frontier", "laws")],
            training=rows("tables/training", "training"),
            surfaces=surfaces,
            minima=minima,
        )
    )
    loss = losses.picture(study, ladder, fits)
    losses.write_files(loss, out / "figures")
    # Whoever permutes the labels expects every known answer to be missed.
    known = [] if study.transfer.null else known_answers(study, scores)
    # Without claims it is the answer of pretraining itself that is asked for.
    told = sentences(study, gains, scores) or [f"{pretrained.headline}.", *pretrained.answers]
    told = [study.transfer.null, *told] if study.transfer.null else told
    verdict = {
        "study": study.study,
        "run_ok": all(k.reached for k in known),
        "verdicts": told,
        "known_answers": [k.as_json() for k in known],
        "claims": [dict(row) for row in primary_rows(study, gains)],
    }
    page = render(
        study=study,
        known=known,
        claims=list(zip(boxes(study, gains, scores), primary_rows(study, gains), strict=True)),
        pretraining=pretrained,
        losses=embed(loss, "losses"),
        losses_key=loss.lines,
        lone_laws=lone_laws(fits, side_by_side),
        drawings=draw(study, ladder, scores, out / "figures"),
        behaviour=behaviour.section(
            study,
            rows("scaling/behaviour", "behaviour"),
            rows("scaling/continual", "continual"),
            out / "figures",
        )
        if study.behaviour
        else None,
        comparisons=comparisons.sections(study, side_by_side, crossovers),
        crossovers=crossovers,
        plans=plans.sections(study, ways, planned),
        scores=scores,
        gains=sorted(gains, key=lambda row: not row["primary"]),
        laws=laws,
        ledger=rows("tables/ledger", "ledger"),
        left_out=left_out(study, not_fitted + no_surface + no_minimum, not_compared, not_planned),
        corpus=corpus_card(study, results),
        datasets=[medical_card(study, results, d.dataset) for d in study.datasets],
        provenance=provenance(study, results),
        single_seeds=any(row["n_seeds"] == 1 and row["arm"] == "video" for row in scores),
    )
    with atomic(out / "index.html") as temporary:
        temporary.write_text(page, encoding="utf-8")
    lines = [k.sentence for k in known] + told
    with atomic(out / "verdict.txt") as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="utf-8")
    # Last, because it is the file that says that the page is complete.
    write_json(out / "verdict.json", verdict)
    write_provenance(out / "verdict.json", watch)


def render(**content: Any) -> str:
    """The page as text."""
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("transferscale.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": number, "signed": signed, "metric": METRICS.__getitem__}
    environment.filters |= {"amount": amount, "counted": comparisons.counted}
    environment.filters |= {"short": short, "percent": percent, "predictor": predictor_words}
    return environment.get_template("page.html.j2").render(
        css=(Path(__file__).parent / "page.css").read_text(encoding="utf-8"),
        head=head(),
        light=theme(dark=False),
        dark=theme(dark=True),
        corpus_words=corpus_words(content["study"]),
        arms_note=ARMS_NOTE,
        **content,
    )


def number(value: float | None) -> str:
    """A number with three decimals or digits, a dash for none."""
    if value is None:
        return "–"
    if isinstance(value, int):
        return str(value)
    return f"{value:.3f}" if 1e-3 <= abs(value) < 1e3 or value == 0 else f"{value:.3g}"


def short(value: float | None) -> str:
    """A number with three digits, a dash for none."""
    return "–" if value is None else f"{value:.3g}"


def percent(value: float | None) -> str:
    """A share in per cent, a dash for none."""
    return "–" if value is None else f"{100 * value:.3g} %"


def signed(value: float | None) -> str:
    """A number with its sign."""
    return "–" if value is None else f"{value:+.3f}"


def amount(row: Row, name: str) -> str:
    """An amount of the `plan` table with its interval, a dash for none."""
    value, low, high = (row[key] for key in (name, f"{name}_low", f"{name}_high"))
    if value is None:
        return "–"
    words = f"{row['bound']} " if name == "subjects" and row["bound"] else ""
    words += compact(value)
    if low is None or high is None:
        return words
    return f"{words} ({compact(low)} to {compact(high) if math.isfinite(high) else 'beyond the range'})"


def compact(value: float) -> str:
    """A number with three digits, or in full with thousands between 100 and a million."""
    return f"{value:,.0f}" if 100 <= value < 1e6 else f"{value:.3g}"


def lone_laws(fits: Sequence[Fit], side_by_side: Sequence[Comparison]) -> str:
    """Pictures of the laws that stand neither among the losses nor beside another arm; empty without any."""
    drawn = {one.group["curve"] for one in side_by_side}
    lone = [one for one in fits if one.law == losses.DRAWN and not losses.is_loss(one)]
    lone = [one for one in lone if one.group["curve"] not in drawn]
    # The curve's name says what it is of.
    return embed(law_pictures.picture(lone), "laws-alone") if lone else ""


def left_out(
    study: Study, not_fitted: Sequence[str], not_compared: Sequence[str], not_planned: Sequence[str]
) -> list[tuple[str, Sequence[str]]]:
    """Sentences on what was not run, fitted, compared or planned; those of one kind under its name."""
    found = [
        ("Not run", Grid(study).left_out()),
        ("No law fitted", not_fitted),
        ("Not compared", not_compared),
        ("No plan", not_planned),
    ]
    return [(name, sentences) for name, sentences in found if sentences]


def corpus_card(study: Study, results: Path) -> dict[str, Any]:
    """What is in the corpus, what was left out of it and why, and how near it is to natural video."""
    folder = results / "corpus" / study.corpus.name
    videos = read_table(folder / "manifest.parquet", "manifest").to_pylist()
    clips = read_table(folder / "clips.parquet", "clips").to_pylist()
    statistics = read_json(folder / "statistics.json")
    kept = [clip for clip in clips if not clip["dropped"]]
    return {
        "name": study.corpus.name,
        "videos": len(videos),
        "ok": sum(video["status"] == "ok" for video in videos),
        "quarantined": reasons(video["reason"] for video in videos if video["status"] != "ok"),
        "clips": len(clips),
        "train": sum(clip["split"] == "train" for clip in kept),
        "heldout": sum(clip["split"] == "heldout" for clip in kept),
        "dropped": reasons(clip["reason"] for clip in clips if clip["dropped"]),
        "licences": dict(Counter(v["licence"] or "not declared" for v in videos if v["status"] == "ok")),
        "statistics": [(words, target, statistics.get(key)) for key, (words, target) in STATISTICS.items()],
        "contact": data_uri(folder / "contact.png"),
        "geometry": study.corpus.clip,
    }


def medical_card(study: Study, results: Path, name: str) -> dict[str, Any]:
    """What is in a dataset, what was left out of it and why, and what was planted where it is simulated."""
    dataset, folder = study.dataset(name), results / "medical" / name
    in_view = folder / dataset.view.kind
    usable = read_table(in_view / "recordings.parquet", "recordings").to_pylist()
    # Left out by the index, and what broke only when the view read it to its end.
    unused = read_table(folder / "quarantine.parquet", "recordings").to_pylist()
    unused += read_table(in_view / "quarantine.parquet", "recordings").to_pylist()
    excluded = [row for row in unused if row["status"] == "excluded"]
    quarantined = [row for row in unused if row["status"] != "excluded"]
    removed = {row["subject"] for row in excluded} - {row["subject"] for row in usable}
    view = read_json(in_view / "view.json")
    splits = read_json(folder / "splits.json")
    return {
        "name": name,
        "note": dataset.note,
        "recordings": len(usable) + len(unused),
        "ok": len(usable),
        "unit": dataset.unit,
        "units": UNITS[dataset.unit],
        "hold_out": dataset.hold_out,
        "excluded": [
            (
                why,
                number,
                len({row["subject"] for row in excluded if row["reason"] == why} & removed),
            )
            for why, number in reasons(row["reason"] for row in excluded)
        ],
        "subjects_excluded": len(removed),
        "notes": reasons(row["reason"] for row in usable if row["reason"]),
        "audit": read_json(folder / f"{dataset.view.kind}.audit.json"),
        "subjects": len({row["subject"] for row in usable}),
        "quarantined": reasons(row["reason"] for row in quarantined),
        "tasks": [
            {
                "name": task,
                "kind": declared.kind,
                "target": declared.target,
                "planted": declared.planted,
                "subjects": len(splits["tasks"][task]["subjects"]),
                "excluded": splits["tasks"][task].get("excluded") or {},
            }
            for task, declared in dataset.tasks.items()
        ],
        "simulated": dataset.simulate.spec() if dataset.simulate else None,
        "view": {key: value for key, value in view.items() if isinstance(value, str | int | float | list)},
        "split_hash": splits["hash"],
    }


def reasons(values: Any) -> list[tuple[str, int]]:
    """Reasons with their counts, the most frequent first."""
    counts = Counter(value or "no reason given" for value in values)
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def data_uri(path: Path) -> str:
    """A PNG as a data URI."""
    try:
        return "data:image/png;base64," + base64.b64encode(path.read_bytes()).decode()
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None


def provenance(study: Study, results: Path) -> dict[str, Any]:
    """What made these numbers: versions, spec hash, packages, and the wall time of every stage."""
    walls: dict[str, list[float]] = {}
    hosts: Counter[str] = Counter()
    for path in sorted(results.rglob("*.prov.json")):
        record = read_json(path)
        stage = path.relative_to(results).parts[0]
        walls.setdefault(stage, []).append(float(record.get("wall_s", 0.0)))
        hosts[f"{record.get('machine', 'unknown')}, Python {record.get('python', 'unknown')}"] += 1
    return {
        "version": __version__,
        "spec": fingerprint(Grid(study).study_spec()),
        "verbs": STAGE_VERSION,
        "packages": installed(PACKAGES),
        "stages": [(stage, len(own), sum(own), max(own)) for stage, own in sorted(walls.items())],
        "hosts": sorted(hosts.items()),
        "date": datetime.now(UTC).isoformat(timespec="minutes"),
    }


def installed(packages: Sequence[str]) -> dict[str, str]:
    """Versions of those packages that are installed."""
    found = {}
    for package in packages:
        try:
            found[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    return found
