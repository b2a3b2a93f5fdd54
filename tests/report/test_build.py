"""The page: complete, self-contained, honest about a run that is wrong."""

import json
import re
import shutil
from html import escape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.image import imread

from tests.scaling.results_folder import analyse, demo, fill, run_rule
from transferscale.errors import UserError
from transferscale.report import comparisons, losses, plans
from transferscale.report.arms import ARMS
from transferscale.report.build import amount as amount_with_interval
from transferscale.report.build import build, number, reasons
from transferscale.report.drawing import amount, log_ticks
from transferscale.report.figures import count_labels
from transferscale.scaling.curves import compared
from transferscale.scaling.pictures.page import embed
from transferscale.study.study import Study
from transferscale.tables import read_table, write_table

KNOWN = {"task": "group", "arm": "connectivity", "metric": "auroc", "at_least": 0.7}
VOID = {"meta", "link", "img", "br", "path", "use", "rect", "stop"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = demo(tmp_path_factory.mktemp("results"), few_depths=True, known_answers=[KNOWN])
    fill(made)
    analyse(made)
    build(made, Path(made.folder) / "report")
    return made


@pytest.fixture(scope="module")
def bare(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Report of the same study that plans for nothing, has no two arms to compare, misses its known answer, and whose
    subjects are stretches of a run."""
    folder = tmp_path_factory.mktemp("bare")
    known = [study.known_answers[0].model_copy(update={"at_least": 0.999})]
    (dataset,) = study.datasets
    cut = dataset.model_copy(update={"unit": "stretch", "stretches": 48})
    changes = {"results": str(folder), "plan": None, "known_answers": known, "datasets": [cut]}
    copy = study.model_copy(update=changes)
    shutil.copytree(study.folder, copy.folder, ignore=shutil.ignore_patterns("report", "plan.parquet"))
    arms = Path(copy.folder) / "tables" / "arms.parquet"
    rows = [row for row in read_table(arms, "curves").to_pylist() if row["family"] == "video"]
    write_table(arms, "curves", rows)
    run_rule("scaling_compare", {"output": Path(copy.folder) / "scaling" / "crossovers.parquet"}, input=arms)
    build(copy, folder / "report")
    return folder / "report"


@pytest.fixture(scope="module")
def page(study: Study) -> str:
    return (Path(study.folder) / "report" / "index.html").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def bare_page(bare: Path) -> str:
    return (bare / "index.html").read_text(encoding="utf-8")


def without_programs(page: str) -> str:
    return re.sub(r"<script.*?</script>", "", page, flags=re.S)


class Outline(HTMLParser):
    """Tags, ids and attributes of a page; complains about a tag that is closed in the wrong place."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.wrong: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag in VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.wrong.append(tag)


@pytest.fixture(scope="module")
def outline(page: str) -> Outline:
    return Outline(page)


def test_the_page_is_well_formed_and_its_ids_are_its_own(outline: Outline) -> None:
    assert not outline.wrong
    assert not outline.open
    ids = [attrs["id"] for _, attrs in outline.tags if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_behaviour_beyond_accuracy_has_its_section(page: str) -> None:
    for words in ("Out of distribution", "One task after another", "Calibration"):
        assert f"<h3>{words}</h3>" in page
    assert "Corruption and attack, every row" in page


def test_every_link_inside_the_page_leads_somewhere(page: str, outline: Outline) -> None:
    ids = {attrs.get("id") for _, attrs in outline.tags}
    page = without_programs(page)
    targets = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert targets
    assert targets <= ids


def test_the_page_asks_nothing_of_the_network(page: str, outline: Outline) -> None:
    for tag, attrs in outline.tags:
        assert tag not in ("iframe", "object", "embed")
        assert tag != "script" or set(attrs) <= {"type"}
        for key in ("src", "href", "xlink:href"):
            value = attrs.get(key) or ""
            assert not value or value.startswith(("#", "data:")), (tag, value)
    page, pictures = without_programs(page), specifications(page)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)
    # Data of the pictures are in them; a schema is a name and is not fetched.
    assert pictures
    for picture in pictures:
        addresses = re.findall(r'"([^"]+)":"https?://', json.dumps(picture, separators=(",", ":")))
        assert set(addresses) == {"$schema"}
        assert '"url"' not in json.dumps(picture)


def specifications(page: str) -> list[dict]:
    return [
        json.loads(text)
        for text in re.findall(r'<script type="application/json">(.*?)</script>', page, flags=re.S)
    ]


def test_sections_stand_in_the_order_in_which_a_reader_asks(page: str, bare_page: str) -> None:
    order = [
        "verdict",
        "known",
        "pretraining",
        "laws",
        "scale",
        "labels",
        "crossovers",
        "behaviour",
        "plan",
        "tables",
        "ledger",
        "left-out",
        "data",
    ]
    sections = re.findall(r'<section id="([^"]+)"', page)
    assert sections == [*order, "provenance"]
    assert re.findall(r'<section id="([^"]+)"', bare_page) == [s for s in sections if s != "plan"]
    assert 'href="#plan"' in page
    assert 'href="#plan"' not in bare_page


def part(page: str, name: str) -> str:
    return page[page.index(f'<section id="{name}"') :].split("</section>")[0]


def test_every_picture_has_a_drawing_for_readers_without_scripts(page: str) -> None:
    figures = re.findall(r'<figure class="picture".*?</figure>', page, flags=re.S)
    assert len(figures) == len(specifications(page)) > 10
    for figure in figures:
        assert re.search(r'<div class="still" role="img" aria-label="[^"]+"><svg', figure)
    # The program that draws is there once.
    assert len(re.findall(r"<script>", page)) == 1


def test_pictures_name_the_scales_and_not_the_columns_x_and_y(page: str) -> None:
    titles = set(re.findall(r'"title":"([^"]+)"', "".join(map(json.dumps, specifications(page)))))
    titles |= set(re.findall(r'"title": "([^"]+)"', json.dumps(specifications(page))))
    assert {"parameters of the encoder, N", "training FLOPs, C", "clips seen", "held-out loss"} <= titles
    assert {"labelled subjects", "error (AUROC)", "error (r)", "pretraining FLOPs"} <= titles
    assert not titles & {"x", "y"}
    assert "interval of y" not in without_programs(part(page, "crossovers"))


def test_the_claims_task_is_compared_openly_and_first_the_others_are_folded(page: str) -> None:
    compared = part(page, "crossovers")
    assert compared.index("<h3>group</h3>") < compared.index("<summary>null: 4 pairs of arms: ")
    assert "<h3>null</h3>" not in compared
    plan = part(page, "plan")
    assert plan.index("<h3>group, frozen read-out</h3>") < plan.index(
        "<summary>null, frozen read-out: auroc 0.8: "
    )


def test_every_pair_of_arms_has_its_verdict_in_words(study: Study, page: str) -> None:
    rows = read_table(Path(study.folder) / "scaling" / "crossovers.parquet", "crossovers").to_pylist()
    compared = without_programs(part(page, "crossovers"))
    assert f"{comparisons.counted(rows)}.</p>" in compared
    assert f"All comparisons, every depth ({len(rows)})" in compared
    for row in rows:
        assert f'<td class="wrap">{row["verdict"]}</td>' in compared


def test_checkpoints_too_few_for_a_law_are_drawn_without_one(study: Study) -> None:
    path = Path(study.folder) / "tables" / "checkpoints.parquet"
    last = [row for row in read_table(path, "checkpoints").to_pylist() if row["rung"] == 3]
    drawn = embed(losses.picture(study, last[:1], []), "losses")
    assert drawn.count("<figure") == 3
    assert "Power law" not in drawn


def test_no_crossover_is_an_answer_and_no_alarm() -> None:
    rows = [{"answer": "none in range"}, {"answer": "none in range"}, {"answer": "not identified"}]
    assert comparisons.counted(rows) == "3 pairs of arms: 2 none in range, 1 not identified"
    assert comparisons.counted([{"answer": "crossover"}]) == "1 pair of arms: 1 overtakes in range"


def test_nothing_to_compare_is_said_with_its_reason(bare_page: str) -> None:
    assert "Nothing could be compared" in part(bare_page, "crossovers")
    assert "there is one family, &#39;video&#39;; a comparison needs two" in part(bare_page, "left-out")
    # No arm stands beside them, so the laws of the errors are drawn by themselves.
    assert "Laws of errors without another arm" in part(bare_page, "laws")


def test_the_plan_is_that_of_the_rule(study: Study, page: str) -> None:
    folder = Path(study.folder)
    rows = read_table(folder / "scaling" / "plan.parquet", "plan").to_pylist()
    found, _ = plans.planned(
        study, folder / "scaling" / "scores.parquet", folder / "tables" / "checkpoints.parquet"
    )
    assert found
    own = [
        {**row, "group": ", ".join(f"{key} {value}" for key, value in row["group"].items())}
        for one in found
        for row in one.rows()
    ]
    assert rows == own
    for one in found:
        assert escape(one.words) in page
    with pytest.raises(UserError, match=r"no 'dataset demo.*'; run `transferscale scaling plan` again"):
        plans.sections(study, found, [])


def test_an_end_beyond_the_range_is_told_in_words() -> None:
    row = {"subjects": 1234.0, "subjects_low": 8.0, "subjects_high": float("inf"), "bound": "<="}
    assert amount_with_interval(row, "subjects") == "<= 1,234 (8 to beyond the range)"
    assert amount_with_interval({**row, "subjects": None}, "subjects") == "–"
    assert amount_with_interval({**row, "subjects_high": None}, "subjects") == "<= 1,234"


def test_the_verdict_stands_before_every_figure_and_table(page: str, study: Study) -> None:
    verdict = json.loads((Path(study.folder) / "report" / "verdict.json").read_text())
    page = without_programs(page)
    first = page.index('<h2 class="headline">group: ')
    assert first < min(page.index("<figure"), page.index("<table"))
    assert first < page.index("<dt>smallest detectable gain") < page.index("<dt>gain")
    assert "synthetic motion" in verdict["verdicts"][0]


def test_figures_have_alternative_texts_and_tables_have_headers(outline: Outline) -> None:
    for tag, attrs in outline.tags:
        if attrs.get("role") == "img":
            assert attrs.get("aria-label")
        if tag == "img":
            assert attrs.get("alt")
        if tag == "th":
            assert attrs.get("scope") == "col"
    tags = [tag for tag, _ in outline.tags]
    assert tags.count("caption") == tags.count("table")


def test_every_figure_is_written_as_svg_and_png(study: Study, page: str) -> None:
    figures = Path(study.folder) / "report" / "figures"
    names = {path.stem for path in figures.glob("*.svg")}
    assert names == {path.stem for path in figures.glob("*.png")}
    assert {"loss-parameters", "loss-compute", "loss-clips"} <= names
    assert {"scale-demo-group", "labels-demo-group-full", "labels-demo-trait-ridge"} <= names
    inside = {name for name in names if not name.startswith("loss-")}
    assert all(f'<figure id="{name}"' in page for name in inside)


def without_pictures(page: str) -> str:
    """The page without the interactive pictures, whose own styles follow the theme."""
    page = re.sub(r"<style>.*?</style>", "", without_programs(page), flags=re.S)
    return re.sub(r'<figure class="picture".*?</figure>', "", page, flags=re.S)


def test_colours_of_the_inline_figures_follow_the_theme(page: str) -> None:
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.S))
    assert "var(--arm-video)" in figures
    drawn = without_pictures(page)
    assert not any(arm.light in drawn for arm in ARMS.values())


def test_what_was_left_out_and_quarantined_is_shown(page: str) -> None:
    assert "full fine-tuning at depths 1, 3" in page
    assert "7 videos in: 6 used, 1 quarantined" in page
    assert "no frame &lt;decodes&gt;" in page
    assert "51 recordings in: 48 used (48 subjects), 2 quarantined" in page
    assert "truncated gzip stream" in page
    assert "cannot be read to its end" in page
    assert (
        "2 quarantined, 1 excluded by the dataset's conditions (in all of their recordings: 1 subjects)"
        in page
    )
    assert "include: age &gt;= 18" in page
    assert "24 recordings compared in 276 pairs of different subjects" in page
    assert "This dataset is simulated" in page
    assert re.search(r"coupling of the planted networks, d = \d", page)


def test_statistics_stand_beside_those_of_natural_video(page: str) -> None:
    for pair in (("-3.4", "-3.310"), ("30", "24.200"), ("0.14", "0.180")):
        assert re.search(rf">{re.escape(pair[0])}</td><td class=\"n\">{re.escape(pair[1])}<", page)


def test_every_gain_but_the_claim_is_called_exploratory(page: str) -> None:
    assert page.count("<td>primary</td>") == 1
    assert page.count("<td>exploratory</td>") > 100


def test_a_missed_known_answer_is_the_first_thing_on_the_page(bare: Path, bare_page: str) -> None:
    assert bare_page.index("THE RUN IS WRONG") < bare_page.index('class="claim')
    verdict = json.loads((bare / "verdict.json").read_text())
    assert not verdict["run_ok"]
    assert [known["reached"] for known in verdict["known_answers"]] == [False]


def test_scores_of_a_single_run_are_said_to_speak_of_nothing_else(page: str, bare_page: str) -> None:
    told = "<strong>Stretches of the same run are on both sides of a fold</strong>"
    assert told in bare_page
    assert told not in page
    assert "48 used (48 stretches, each held out as if it were a subject)" in bare_page


def test_the_same_tables_give_the_same_figures(study: Study, bare: Path) -> None:
    for path in (Path(study.folder) / "report" / "figures").iterdir():
        assert path.read_bytes() == (bare / "figures" / path.name).read_bytes(), path.name


def test_a_missing_table_is_one_sentence(study: Study, tmp_path: Path) -> None:
    copy = study.model_copy(update={"results": str(tmp_path)})
    shutil.copytree(study.folder, copy.folder)
    scaling = Path(copy.folder) / "scaling"
    for name in ("plan", "crossovers", "laws"):
        (scaling / f"{name}.parquet").unlink()
        with pytest.raises(UserError, match=rf"{name}\.parquet: no such file"):
            build(copy, tmp_path / "report")


def test_a_table_older_than_its_points_is_one_sentence(study: Study, tmp_path: Path) -> None:
    rows = read_table(Path(study.folder) / "tables" / "arms.parquet", "curves").to_pylist()
    arms = tmp_path / "arms.parquet"
    name = "demo/group: error (auroc) ~ n_train, ridge, depth 2, rung 3"
    write_table(arms, "curves", [row for row in rows if row["curve"] == name])
    found, _ = compared(arms)
    with pytest.raises(UserError, match=r"no 'demo/group.*'; run `transferscale scaling compare` again"):
        comparisons.sections(study, found, [])


def test_text_of_the_figures_lies_inside_of_them(study: Study) -> None:
    for path in (Path(study.folder) / "report" / "figures").glob("*.png"):
        image = imread(path)[..., :3]
        for edge in (image[:, :4], image[:, -4:], image[:4], image[-4:]):
            assert (edge == 1).all(), path.name


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (1.5e4, 9e5, [2e4, 5e4, 1e5, 2e5, 5e5]),
        (1.5e4, 3e6, [3e4, 1e5, 3e5, 1e6, 3e6]),
        (9e9, 7e11, [1e10, 3e10, 1e11, 3e11]),
        (1.2, 4.6, [2, 3, 4]),
        (1.0, 1e12, [1e0, 1e3, 1e6, 1e9, 1e12]),
    ],
)
def test_a_logarithmic_axis_has_few_labels(low: float, high: float, ticks: list[float]) -> None:
    assert log_ticks(low, high) == pytest.approx(ticks)


def test_ticks_are_told_in_short() -> None:
    values = [500, 2e4, 3.5e5, 2e6, 1e10, 2e10]
    short = ["500", "20k", "350k", "2M", "$10^{10}$", r"$2{\times}10^{10}$"]
    assert [amount(value) for value in values] == short


def test_a_label_count_that_all_would_run_into_is_left_away() -> None:
    assert count_labels([(8, "8"), (16, "16"), (62, "all")]) == ["8", "16", "all\n(62)"]
    assert count_labels([(8, "8"), (32, "32"), (33, "all")]) == ["8", "", "all\n(33)"]


def test_what_a_law_leaves_open_is_said_in_words(page: str) -> None:
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", part(page, "laws"))
    assert any("Power law: exponent " in caption for caption in captions)
    assert not any("not identified" in caption for caption in captions)


def test_numbers_and_reasons_are_told_plainly() -> None:
    assert [number(v) for v in (None, 3, 0.5, 0.0, 12345.6, 1e-5)] == [
        "–",
        "3",
        "0.500",
        "0.000",
        "1.23e+04",
        "1e-05",
    ]
    assert reasons(["b", "a", "b", None]) == [("b", 2), ("a", 1), ("no reason given", 1)]


def test_a_study_on_permuted_labels_begins_with_the_words(study: Study, tmp_path: Path) -> None:
    transfer = study.transfer.model_copy(update={"permute_labels": 5})
    build(study.model_copy(update={"transfer": transfer}), tmp_path / "report")
    page = without_programs((tmp_path / "report" / "index.html").read_text(encoding="utf-8"))
    body = re.sub(r"<[^>]+>", " ", page.partition("<body>")[2])
    assert body.split()[:3] == ["LABELS", "ARE", "PERMUTED"]
    assert (tmp_path / "report" / "verdict.txt").read_text().startswith("LABELS ARE PERMUTED")
    # The known answer is not one of permuted labels, and is not asked for.
    assert json.loads((tmp_path / "report" / "verdict.json").read_text())["known_answers"] == []
