"""The card of a corpus: what is in it, what is not and why, and how near its clips are to natural video."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from transferscale.artefacts import Stopwatch, atomic, write_json, write_provenance
from transferscale.clips.store import ClipStore
from transferscale.corpus.clipping import uniform
from transferscale.corpus.controls import generator, spoiled
from transferscale.corpus.photographs import PHOTOGRAPHS, photographs_of
from transferscale.corpus.statistics import TARGETS, summary
from transferscale.tables import read_table

# Clips that the statistics are measured on, at most, and those that controls are tried on: a random sample by hash.
SAMPLE, SPOILED = 2000, 200
# Contact sheet: columns, rows, height and width of a picture, gap; pixels.
COLUMNS, ROWS, TILE, GAP = 12, 4, 96, 4
NAMES = {
    "spectrum_slope": "slope of the spatial power spectrum",
    "gradient_kurtosis": "kurtosis of the gradient",
    "frame_difference": "frame difference, in SD",
}


def write_card(
    spec: Mapping[str, Any],
    manifest: Path,
    store: Path,
    index: Path,
    readme: Path,
    contact: Path,
    statistics: Path,
) -> None:
    """Write the card, the contact sheet and the statistics of a corpus.

    Parameters
    ----------
    spec
        ``Grid.card_spec``: ``name``, ``clip``, ``controls`` and ``seed``.
    manifest, store, index
        The corpus.
    readme
        Card, Markdown.
    contact
        Contact sheet, PNG: the middle frames of 48 clips; below them, where the study has control corpora, frames
        of one clip as it is and in each of them.
    statistics
        JSON: ``spectrum_slope``, ``gradient_kurtosis``, ``frame_difference``, ``targets``, ``sources`` (the
        same a kind of source), and the counts.
    """
    watch = Stopwatch()
    videos = read_table(manifest, "manifest").to_pylist()
    clips = read_table(index, "clips").to_pylist()
    figures = measure(spec, videos, clips, ClipStore(store))
    write_json(statistics, figures)
    with atomic(readme) as temporary:
        temporary.write_text(card(spec, videos, clips, figures, contact.name), encoding="utf-8")
    _contact_sheet(spec, clips, ClipStore(store), contact)
    for output in (readme, contact, statistics):
        write_provenance(output, watch)


def measure(
    spec: Mapping[str, Any],
    videos: Sequence[Mapping[str, Any]],
    clips: Sequence[Mapping[str, Any]],
    store: ClipStore,
) -> dict[str, Any]:
    """Counts and statistics: the content of statistics.json."""
    kinds = {video["video_id"]: _kind(video) for video in videos if video["status"] == "ok"}
    kept = [clip for clip in clips if not clip["dropped"]]
    sources = {}
    for kind in sorted({_kind(video) for video in videos}):
        mine = [clip for clip in kept if kinds[clip["video_id"]] == kind]
        bad = [clip for clip in clips if clip["dropped"] and kinds[clip["video_id"]] == kind]
        sources[kind] = {
            **_counts([video for video in videos if _kind(video) == kind], mine, bad),
            **summary(taken(sample(mine, SAMPLE), store)),
        }
    dropped = [clip for clip in clips if clip["dropped"]]
    return {
        **_counts(videos, kept, dropped),
        **summary(taken(sample(kept, SAMPLE), store)),
        "measured_on": min(SAMPLE, len(kept)),
        "targets": TARGETS,
        "sources": sources,
        "cut_share": _cut_shares(spec, sample(kept, SPOILED), store),
        "reasons": {
            "quarantined": _reasons(video["reason"] for video in videos if video["status"] != "ok"),
            "dropped": _reasons(clip["reason"] for clip in dropped),
        },
    }


def _kind(video: Mapping[str, Any]) -> str:
    return str(video["source"]).split(":", 1)[1]


def _counts(
    videos: Sequence[Mapping[str, Any]],
    kept: Sequence[Mapping[str, Any]],
    dropped: Sequence[Mapping[str, Any]],
) -> dict[str, int]:
    return {
        "videos": len(videos),
        "ok": sum(video["status"] == "ok" for video in videos),
        "quarantined": sum(video["status"] != "ok" for video in videos),
        "clips_train": sum(clip["split"] == "train" for clip in kept),
        "clips_heldout": sum(clip["split"] == "heldout" for clip in kept),
        "dropped": len(dropped),
    }


def _reasons(reasons: Any) -> dict[str, int]:
    """Counts by reason without its particulars (numbers, names in brackets or quotes)."""
    return dict(
        sorted(Counter(_heading(reason) for reason in reasons).items(), key=lambda item: (-item[1], item[0]))
    )


def _heading(reason: str) -> str:
    for mark in (":", " (", " '"):
        reason = reason.split(mark)[0]
    words = [word if not word.replace(".", "").isdigit() else "N" for word in reason.split(" ")]
    return " ".join(words)


def sample(clips: Sequence[Mapping[str, Any]], most: int) -> list[Mapping[str, Any]]:
    """At most so many of these clips, at random by hash."""
    return sorted(clips, key=lambda clip: (uniform(clip["clip_id"]), clip["clip_id"]))[:most]


def taken(clips: Sequence[Mapping[str, Any]], store: ClipStore) -> npt.NDArray[np.uint8]:
    """These clips: (clips, frames, height, width)."""
    rows = store.rows([clip["shard"] for clip in clips], [clip["offset"] for clip in clips])
    return store.take(rows).astype(np.uint8)


def _cut_shares(
    spec: Mapping[str, Any], clips: Sequence[Mapping[str, Any]], store: ClipStore
) -> dict[str, float]:
    """Share of the pixels of every control corpus that are cut at black or white, on these clips."""
    pixels, shares = taken(clips, store), {}
    for control in spec["controls"]:
        generators = [generator(spec["seed"], control, clip["clip_id"]) for clip in clips]
        cut = [spoiled(control, own, rng)[1] for own, rng in zip(pixels, generators, strict=True)]
        shares[control] = round(float(np.mean(cut)), 6)
    return shares


def card(
    spec: Mapping[str, Any],
    videos: Sequence[Mapping[str, Any]],
    clips: Sequence[Mapping[str, Any]],
    figures: Mapping[str, Any],
    contact: str,
) -> str:
    """The card's Markdown."""
    clip = spec["clip"]
    good = [video for video in videos if video["status"] == "ok"]
    giving = {row["video_id"] for row in clips if not row["dropped"]}
    minutes = sum(video["duration_s"] or 0.0 for video in good if video["video_id"] in giving) / 60
    lines = [
        f"# Corpus {spec['name']}",
        "",
        f"{figures['clips_train']} clips to train on and {figures['clips_heldout']} held out, from"
        f" {len(giving)} videos ({minutes:.1f} minutes). A clip is {clip['frames']} frames of"
        f" {clip['size']} x {clip['size']} pixels, luminance, every {_ordinal(clip['stride'])} frame of its"
        " video.",
        "",
        f"![Middle frames of clips]({contact})",
        *_controls(figures["cut_share"]),
        *(_photographs(spec["seed"]) if "synthetic" in figures["sources"] else []),
        "",
        "## Counts",
        "",
        "| source | video files | sound | quarantined | clips to train on | held out | dropped |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in [*figures["sources"].items(), ("all", figures)]:
        keys = ("videos", "ok", "quarantined", "clips_train", "clips_heldout", "dropped")
        lines.append(f"| {name} | " + " | ".join(str(row[key]) for key in keys) + " |")
    names_of = {video["video_id"]: Path(video["uri"]).name for video in good}
    bad = [(Path(video["uri"]).name, video["reason"]) for video in videos if video["status"] != "ok"]
    lost = [(names_of[clip["video_id"]], clip["reason"]) for clip in clips if clip["dropped"]]
    for word, heading, single in (
        ("quarantined", "Quarantined videos", bad),
        ("dropped", "Dropped clips", lost),
    ):
        lines += ["", f"## {heading}", ""]
        lines += _reason_table(figures["reasons"][word])
        lines += [f"- `{_plain(name)}`: {_plain(reason)}" for name, reason in single[:50]]
        if len(single) > 50:
            lines.append(f"- and {len(single) - 50} more, in the tables beside this card")
    licences = Counter(video["licence"] or "not declared" for video in good)
    lines += ["", "## Licences", "", "| licence | videos |", "|---|---|"]
    lines += [f"| {_plain(licence)} | {count} |" for licence, count in sorted(licences.items())]
    lines += ["", "## Statistics of natural video", ""]
    lines += [
        f"Measured on {figures['measured_on']} clips as stored; definitions in `corpus/statistics.py`.",
        "",
    ]
    names = list(figures["sources"]) if len(figures["sources"]) > 1 else []
    lines += ["| statistic | natural video | this corpus | " + "".join(f"{name} | " for name in names)]
    lines[-1] = lines[-1].rstrip()
    lines += ["|---" * (3 + len(names)) + "|"]
    for key, name in NAMES.items():
        values = [figures[key], *(figures["sources"][source][key] for source in names)]
        shown = " | ".join("undefined" if value is None else f"{value:.3g}" for value in values)
        lines.append(f"| {name} | about {figures['targets'][key]:g} | {shown} |")
    motions = [row["motion"] for row in clips if row["motion"] is not None and not row["dropped"]]
    if motions:
        low, middle, high = np.percentile(motions, [5, 50, 95])
        lines += [
            "",
            f"Motion of single clips, in SD: median {middle:.3f}, 5 to 95 %: {low:.3f} to {high:.3f}.",
        ]
    return "\n".join(lines) + "\n"


def _controls(cut_shares: Mapping[str, float]) -> list[str]:
    """What the last rows of the contact sheet show, and what of the control corpora is cut."""
    if not cut_shares:
        return []
    names = ", ".join(f"`{control}`" for control in cut_shares)
    cut = ", ".join(
        f"{share:.1%} of the pixels of `{control}`" for control, share in cut_shares.items() if share
    )
    return [
        "",
        f"The last {len(cut_shares) + 1} rows are frames of one clip: as it is, and in the control corpora {names}.",
        *([f"Cut at black or white, beyond what the clips have: {cut}."] if cut else []),
    ]


def _photographs(seed: int) -> list[str]:
    """Which photographs are held out."""
    names = [Path(PHOTOGRAPHS[which][1]).stem for which in photographs_of(seed, "heldout")]
    return [
        "",
        f"Synthetic videos show {len(PHOTOGRAPHS)} photographs: held-out videos these {len(names)} alone, "
        f"{', '.join(names)}, and training videos the others alone. An interval over held-out videos does not cover "
        "the choice of photographs.",
    ]


def _ordinal(n: int) -> str:
    return {1: "single", 2: "second", 3: "third"}.get(n, f"{n}th")


def _plain(text: str) -> str:
    """Text that cannot break a table or a code span."""
    return "".join(c if c.isprintable() else "?" for c in text).replace("|", "/").replace("`", "'")


def _reason_table(reasons: Mapping[str, int]) -> list[str]:
    if not reasons:
        return ["None."]
    return ["| reason | count |", "|---|---|", *(f"| {_plain(r)} | {n} |" for r, n in reasons.items()), ""]


def _contact_sheet(
    spec: Mapping[str, Any], clips: Sequence[Mapping[str, Any]], store: ClipStore, path: Path
) -> None:
    """Middle frames of clips spread evenly over the corpus, in its order, and below them the control corpora."""
    from PIL import Image

    kept = [clip for clip in clips if not clip["dropped"]]
    chosen = [kept[i] for i in np.unique(np.linspace(0, len(kept) - 1, COLUMNS * ROWS).round().astype(int))]
    shown = taken(chosen, store)
    pictures = shown[:, store.shape[0] // 2]
    strips = [pictures[i : i + COLUMNS] for i in range(0, len(pictures), COLUMNS)]
    if spec["controls"]:
        # The clip that moves most shows best what is done to it.
        most = int(np.argmax([clip["motion"] for clip in chosen]))
        frames = np.linspace(0, store.shape[0] - 1, min(COLUMNS, store.shape[0])).round().astype(int)
        strips.append(shown[most][frames])
        for control in spec["controls"]:
            rng = generator(spec["seed"], control, chosen[most]["clip_id"])
            strips.append(spoiled(control, shown[most], rng)[0][frames])
    step = TILE + GAP
    sheet = Image.new("L", (COLUMNS * step + GAP, len(strips) * step + GAP), 255)
    for row, strip in enumerate(strips):
        for column, picture in enumerate(strip):
            tile = Image.fromarray(picture).resize((TILE, TILE), Image.Resampling.NEAREST)
            sheet.paste(tile, (GAP + column * step, GAP + row * step))
    with atomic(path) as temporary:
        sheet.save(temporary, format="PNG")
