"""The part of the page on pretraining, and the page of a study that pretrains alone."""

import json
import re
import shutil
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import pytest

from tests.scaling.results_folder import analyse, fill, pretraining_alone
from transferscale.report import courses, losses, pretraining
from transferscale.report.build import build
from transferscale.scaling.curves import fitted
from transferscale.scaling.minima.table import Isoflops
from transferscale.scaling.rungs import analysis
from transferscale.scaling.rungs.monotone import CLIPS, SIZE, Falls
from transferscale.study.study import Study
from transferscale.tables import read_table, write_table


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = pretraining_alone(tmp_path_factory.mktemp("results"))
    fill(made)
    analyse(made)
    build(made, Path(made.folder) / "report")
    return made


@pytest.fixture(scope="module")
def page(study: Study) -> str:
    text = (Path(study.folder) / "report" / "index.html").read_text(encoding="utf-8")
    return re.sub(r"<script.*?</script>", "", text, flags=re.S)


def rows(study: Study, path: str, table: str) -> list[dict[str, Any]]:
    return read_table(Path(study.folder) / f"{path}.parquet", table).to_pylist()


def section(page: str, name: str) -> str:
    return page[page.index(f'<section id="{name}"') :].split("</section>")[0]


def test_the_page_opens_with_what_pretraining_showed(page: str, study: Study) -> None:
    verdict = json.loads((Path(study.folder) / "report" / "verdict.json").read_text())
    headline = verdict["verdicts"][0].removesuffix(".")
    assert re.fullmatch(
        r"Held-out loss falls with size \(vit -\d.*\) and clips seen \(vit -\d.*, convnet -\d.* %\)", headline
    )
    assert headline in section(page, "verdict")
    assert page.index(headline) < min(page.index("<figure"), page.index("<table"))
    assert verdict["claims"] == verdict["known_answers"] == []
    assert all(escape(sentence).replace("&#x27;", "&#39;") in page for sentence in verdict["verdicts"][1:])


def test_a_study_of_pretraining_alone_has_no_part_on_medical_tasks(page: str) -> None:
    assert re.findall(r'<section id="([^"]+)"', page) == [
        "verdict",
        "pretraining",
        "laws",
        "ledger",
        "left-out",
        "data",
        "provenance",
    ]
    ids = set(re.findall(r'id="([^"]+)"', page))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= ids
    assert "Nothing: the full cross was run" in section(page, "left-out")


def test_every_minimum_and_error_of_the_tables_stands_on_the_page(page: str, study: Study) -> None:
    own = section(page, "pretraining")
    minima = rows(study, "scaling/isoflop", "isoflop")
    assert f"All minima ({len(minima)})" in own
    for row in minima:
        assert f"<td>{escape(row['words'].split(':')[0])}</td>" in own
        assert f"{row['n']:.3g}" in own
    for row in rows(study, "scaling/hindsight", "rung_test"):
        assert (
            f'<td class="n">{row["rmsle"]:.3f}</td><td class="n">{100 * row["relative_error"]:.3g} %</td>'
            in own
        )
    for name in ("surface", "frontier"):
        for row in rows(study, f"scaling/{name}", "laws"):
            assert f"<td>{row['group']}</td><td>{row['law']}</td><td>{row['parameter']}</td>" in own


def test_a_minimum_that_is_not_bracketed_stands_as_a_bound(page: str, study: Study) -> None:
    own = section(page, "pretraining")
    bounds = [row for row in rows(study, "scaling/isoflop", "isoflop") if row["side"]]
    assert bounds
    for row in bounds:
        sign = "&lt;=" if row["side"] == "smaller" else "&gt;="
        assert f'<td class="n">{sign} {row["n"]:.3g}</td>' in own


def test_epochs_of_every_rung_stand_beside_the_surface_and_the_last_ones_are_warned_of(page: str) -> None:
    own = section(page, "pretraining")
    for rung, seen, epochs in ((1, 1000, "1.0"), (4, 8000, "1.3"), (5, 16000, "2.7")):
        cells = f'<td class="n">{rung}</td><td class="n">{seen}</td><td class="n">{min(seen, 6000)}</td>'
        assert f'{cells}<td class="n">{epochs}</td>' in own
    assert "vit: 2.7 epochs are worth " in own
    assert "</strong>: 2.7 epochs beside up to 1.3." in own
    assert "the last rung saw its clips 2.7 times, those before it up to 1.3 times" in section(
        page, "verdict"
    )


@pytest.mark.parametrize(
    ("sides", "p_bracketed", "words"),
    [
        (
            ["smaller", "smaller"],
            [0.1, 0.0],
            "none of 2 isoFLOP minima is bracketed: the smallest size run at each",
        ),
        (
            ["larger", "larger"],
            [0.1, 0.0],
            "none of 2 isoFLOP minima is bracketed: the largest size run at each",
        ),
        (["", "smaller"], [0.6, 0.0], "1 of 2 isoFLOP minima are bracketed (0 of them in 95 % of the draws"),
        (["", ""], [0.99, 0.97], "2 of 2 isoFLOP minima are bracketed"),
    ],
)
def test_minima_are_told_by_how_sure_they_are(
    study: Study, sides: list[str], p_bracketed: list[float], words: str
) -> None:
    found, _ = analysis.minima(Path(study.folder) / "tables" / "ladder.parquet")
    one = found.groups[0]
    budgets = tuple(
        replace(one.budgets[0], side=side, p_bracketed=p) for side, p in zip(sides, p_bracketed, strict=True)
    )
    changed = replace(found, groups=(replace(one, budgets=budgets, allocation=None),))
    told = pretraining.section(
        pretraining.Tables([*rows(study, "tables/ladder", "ladder")], [], [], [], [], [], [], [], changed)
    )
    assert any(words in sentence for sentence in told.answers)


def test_the_pages_minima_and_surfaces_are_those_of_the_rules(study: Study) -> None:
    ladder = Path(study.folder) / "tables" / "ladder.parquet"
    found, left_out = analysis.minima(ladder)
    assert not left_out
    assert rows(study, "scaling/isoflop", "isoflop") == [row for one in found.groups for row in one.rows()]
    surfaces, refused = analysis.surfaces(ladder)
    assert not refused
    told = {(r["group"], r["parameter"]): r["value"] for r in rows(study, "scaling/surface", "laws")}
    assert told == {
        (f"family {f.group['family']}", name): v for f in surfaces for name, v in f.params.items()
    }


def test_families_stand_side_by_side_on_the_same_axes(study: Study) -> None:
    fits, _ = fitted(Path(study.folder) / "tables" / "curves.parquet")
    drawn = losses.picture(study, rows(study, "tables/ladder", "ladder"), fits)
    assert [panel.name for panel in drawn.panels] == [
        f"loss-{scale}-{family}"
        for scale in ("parameters", "compute", "clips")
        for family in ("vit", "convnet")
    ]
    for vit, convnet in zip(drawn.panels[::2], drawn.panels[1::2], strict=True):
        assert vit.plane == convnet.plane
        assert vit.title.startswith("vit: held-out loss and ")
        assert convnet.title.startswith("convnet: ")
    names = {path.stem for path in (Path(study.folder) / "report" / "figures").glob("*.svg")}
    assert names == {panel.name for panel in drawn.panels}


def test_controls_and_fractions_stand_beside_the_ladder_and_not_in_its_pictures(
    study: Study, page: str
) -> None:
    checkpoints = rows(study, "tables/checkpoints", "checkpoints")
    found = {(row["corpus"], row["family"]): row for row in pretraining.beside(checkpoints)}
    assert set(found) == {(c, f) for c in ("motion-static", "motion-f250") for f in ("vit", "convnet")}
    assert found["motion-static", "vit"]["ratio"] == pytest.approx(1.5, rel=0.03)
    assert found["motion-f250", "vit"]["ratio"] == pytest.approx(1.1, rel=0.03)
    lone = [{**row, "clips_seen": 10**6} for row in checkpoints if row["control"]]
    assert {row["ratio"] for row in pretraining.beside(lone)} == {None}
    beside = page[page.index('id="beside"') :].split("</section>")[0]
    assert beside.count("<td>motion-static</td>") == 2
    worst = max(row["heldout_loss"] for row in checkpoints if row["control"])
    assert worst > max(
        r["heldout_loss"] for r in checkpoints if r["depth"] == 3 and not r["control"] and r["rung"] == 5
    )


def test_the_ledger_lists_every_checkpoint_those_with_flags_first(page: str, study: Study) -> None:
    own = section(page, "ledger")
    ledger = rows(study, "tables/ledger", "ledger")
    assert f"{len(ledger)} checkpoints. 1 with signs of instability, shown first." in own
    listed = re.findall(r"<tr[^>]*><td>([^<]+)</td>", own)
    assert len(listed) == len(ledger)
    assert set(listed) == {row["reader_id"] for row in ledger}
    assert listed[0] == next(row["reader_id"] for row in ledger if row["flags"])
    assert "loss-spike x2 from step 3" in own


def test_courses_of_training_are_drawn_for_the_first_seed_of_every_depth(study: Study) -> None:
    training, ladder = rows(study, "tables/training", "training"), rows(study, "tables/ladder", "ladder")
    drawn = courses.picture(training, ladder)
    assert drawn is not None
    assert [panel.title for panel in drawn.panels] == [
        "vit: loss along training",
        "convnet: loss along training",
    ]
    assert courses.picture([], ladder) is None
    # A step that broke down has no place on a logarithmic axis, and takes no other with it.
    broken = [{**row, "loss": float("nan")} if i == 0 else row for i, row in enumerate(training)]
    assert courses.picture(broken, ladder) is not None


def test_a_ladder_too_small_for_any_law_still_has_its_page(study: Study, tmp_path: Path) -> None:
    copy = study.model_copy(update={"results": str(tmp_path)})
    shutil.copytree(study.folder, copy.folder, ignore=shutil.ignore_patterns("report"))
    tables, scaling = Path(copy.folder) / "tables", Path(copy.folder) / "scaling"
    ladder = [
        r
        for r in rows(copy, "tables/ladder", "ladder")
        if (r["family"], r["depth"], r["rung"], r["seed"]) == ("vit", 1, 5, 0)
    ]
    write_table(tables / "ladder.parquet", "ladder", ladder)
    for name, table in (
        ("curves", "curves"),
        ("training", "training"),
    ):
        write_table(tables / f"{name}.parquet", table, [])
    for name, table in (
        ("isoflop", "isoflop"),
        ("surface", "laws"),
        ("frontier", "laws"),
        ("prediction", "rung_prediction"),
        ("hindsight", "rung_test"),
        ("laws", "laws"),
    ):
        write_table(scaling / f"{name}.parquet", table, [])
    checkpoints = [
        r for r in rows(copy, "tables/checkpoints", "checkpoints") if r["rung"] == 5 and r["depth"] == 1
    ]
    write_table(tables / "checkpoints.parquet", "checkpoints", checkpoints)
    build(copy, tmp_path / "report")
    page = (tmp_path / "report" / "index.html").read_text()
    assert "One size and one budget: nothing can be compared" in page
    assert "No compute budget lies within the runs of three sizes" in page
    assert "No surface could be fitted" in page
    assert "There are no rungs before the last one to foretell it from" in page


FALLS = Falls("vit", SIZE, 25, 0, 0, True, -0.4, 0.05)


@pytest.mark.parametrize(
    ("falls", "words"),
    [
        (
            [FALLS, replace(FALLS, along=CLIPS)],
            "Held-out loss falls with size (vit -33.0 %) and clips seen (vit -33.0 %)",
        ),
        ([FALLS], "Held-out loss falls with size (vit -33.0 %)"),
        (
            [
                replace(FALLS, fall=-0.04),
                replace(FALLS, family="convnet", fall=0.1),
                replace(FALLS, along=CLIPS),
            ],
            "Held-out loss falls with clips seen (vit -33.0 %), and does not clearly fall with size (vit -3.9 %, "
            "convnet +10.5 %)",
        ),
        (
            [replace(FALLS, rises=3, beyond=1)],
            "Held-out loss does not always fall: 1 of 25 steps rises by more than noise",
        ),
        ([replace(FALLS, rises=3)], "Held-out loss falls with size (vit -33.0 %)"),
        (
            [replace(FALLS, rises=3, judged=False)],
            "Held-out loss falls in 22 of 25 steps; without replicates noise is not known",
        ),
    ],
)
def test_the_headline_says_what_the_steps_do(falls: list[Falls], words: str) -> None:
    assert pretraining.headline(falls) == words


def test_a_rise_beyond_noise_stands_open_on_the_page(study: Study) -> None:
    ladder = rows(study, "tables/ladder", "ladder")
    for row in ladder:
        if (row["family"], row["depth"], row["rung"]) == ("vit", 4, 3):
            row["heldout_loss"] *= 1.3
    empty = pretraining.Tables(ladder, [], [], [], [], [], [], [], Isoflops((), None, ()))
    found = pretraining.section(empty)
    assert not found.holds
    assert found.headline == "Held-out loss does not always fall: 2 of 98 steps rise by more than noise"
    assert {one.words for one in found.rises if one.beyond} == {
        "rung 3, depth 3 to 4",
        "depth 4, rung 2 to 3",
    }
