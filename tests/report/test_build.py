"""The page: complete, self-contained, honest about a run that is wrong."""

import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from matplotlib.image import imread

from tests.scaling.results_folder import demo, fill
from transferscale.errors import UserError
from transferscale.report.arms import ARMS
from transferscale.report.build import build, number, reasons
from transferscale.report.drawing import amount, log_ticks
from transferscale.report.figures import count_labels
from transferscale.study.study import Study

KNOWN = {"task": "group", "arm": "connectivity", "metric": "auroc", "at_least": 0.7}
VOID = {"meta", "link", "img", "br", "path", "use", "rect", "stop"}


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = demo(tmp_path_factory.mktemp("results"), known_answers=[KNOWN])
    fill(made)
    build(made, Path(made.folder) / "report")
    return made


@pytest.fixture(scope="module")
def page(study: Study) -> str:
    return (Path(study.folder) / "report" / "index.html").read_text(encoding="utf-8")


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


def test_every_link_inside_the_page_leads_somewhere(page: str, outline: Outline) -> None:
    ids = {attrs.get("id") for _, attrs in outline.tags}
    targets = set(re.findall(r'href="#([^"]+)"', page)) | set(re.findall(r"url\(#([^)]+)\)", page))
    assert targets
    assert targets <= ids


def test_the_page_asks_nothing_of_the_network(page: str, outline: Outline) -> None:
    for tag, attrs in outline.tags:
        assert tag not in ("script", "iframe", "object", "embed")
        for key in ("src", "href", "xlink:href"):
            value = attrs.get(key) or ""
            assert not value or value.startswith(("#", "data:")), (tag, value)
    assert "@import" not in page
    assert not re.search(r"url\((?!#)", page)


def test_the_verdict_stands_before_every_figure_and_table(page: str, study: Study) -> None:
    verdict = json.loads((Path(study.folder) / "report" / "verdict.json").read_text())
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
    assert all(f'<figure id="{name}"' in page for name in names)


def test_colours_of_the_inline_figures_follow_the_theme(page: str) -> None:
    figures = "".join(re.findall(r"<svg.*?</svg>", page, flags=re.S))
    assert "var(--arm-video)" in figures
    assert not any(arm.light in figures for arm in ARMS.values())


def test_what_was_left_out_and_quarantined_is_shown(page: str) -> None:
    assert "full fine-tuning at depths 3, 4, 5, 6" in page
    assert "7 videos in: 6 used, 1 quarantined" in page
    assert "no frame &lt;decodes&gt;" in page
    assert "49 recordings in: 48 used (48 subjects), 1 quarantined" in page
    assert "truncated gzip stream" in page
    assert "This dataset is simulated" in page
    assert re.search(r"coupling of the planted networks, d = \d", page)


def test_statistics_stand_beside_those_of_natural_video(page: str) -> None:
    for pair in (("-3.4", "-3.310"), ("30", "24.200"), ("0.14", "0.180")):
        assert re.search(rf">{re.escape(pair[0])}</td><td class=\"n\">{re.escape(pair[1])}<", page)


def test_every_gain_but_the_claim_is_called_exploratory(page: str) -> None:
    assert page.count("<td>primary</td>") == 1
    assert page.count("<td>exploratory</td>") > 100


def test_a_missed_known_answer_is_the_first_thing_on_the_page(study: Study, tmp_path: Path) -> None:
    wrong = study.model_copy(
        update={"known_answers": [study.known_answers[0].model_copy(update={"at_least": 0.999})]}
    )
    build(wrong, tmp_path)
    page = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert page.index("THE RUN IS WRONG") < page.index('class="claim')
    verdict = json.loads((tmp_path / "verdict.json").read_text())
    assert not verdict["run_ok"]
    assert [known["reached"] for known in verdict["known_answers"]] == [False]


def test_the_same_tables_give_the_same_figures(study: Study, tmp_path: Path) -> None:
    build(study, tmp_path)
    for path in (Path(study.folder) / "report" / "figures").iterdir():
        assert path.read_bytes() == (tmp_path / "figures" / path.name).read_bytes(), path.name


def test_a_missing_table_is_one_sentence(study: Study, tmp_path: Path) -> None:
    copy = demo(tmp_path, known_answers=[KNOWN])
    shutil.copytree(study.folder, copy.folder)
    (Path(copy.folder) / "scaling" / "laws.parquet").unlink()
    with pytest.raises(UserError, match=r"laws\.parquet: no such file"):
        build(copy, tmp_path / "report")


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
    captions = re.findall(r"<figcaption>(.*?)</figcaption>", page)
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
