"""Pictures as files: three formats that parse, the same bytes for the same input, and nothing loaded from a net."""

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from xml.etree import ElementTree

import pytest

from transferscale.errors import UserError
from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.pictures.files import checked
from transferscale.scaling.pictures.fit import draw_fit

LOADING = ("src", "href", "data", "action", "poster", "srcset")


class Tags(HTMLParser):
    """Tags of a page, and what they would load."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.count: dict[str, int] = {}
        self.loaded: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.count[tag] = self.count.get(tag, 0) + 1
        self.loaded += [value or "" for name, value in attrs if name.split(":")[-1] in LOADING]
        self.ids += [value or "" for name, value in attrs if name == "id"]


@pytest.fixture(scope="module")
def html(broken: Fit, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "fit.html"
    draw_fit([broken, broken], path)
    return path.read_text(encoding="utf-8")


def test_an_svg_is_xml_with_its_words_as_text(broken: Fit, tmp_path: Path) -> None:
    draw_fit([broken], tmp_path / "fit.svg")
    root = ElementTree.fromstring((tmp_path / "fit.svg").read_text())  # noqa: S314
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    words = "".join(root.itertext())
    assert "loss against params" in words
    assert "break 19.6k (" in words


def test_a_png_is_one_of_two_pixels_a_point(broken: Fit, tmp_path: Path) -> None:
    draw_fit([broken], tmp_path / "fit.PNG")
    data = (tmp_path / "fit.PNG").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = (int.from_bytes(data[at : at + 4], "big") for at in (16, 20))
    assert width > 900
    assert height > 700


def test_a_page_loads_nothing(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    assert [one for one in tags.loaded if not one.startswith(("data:", "#"))] == []
    assert not re.search(
        r"url\(\s*['\"]?(?!#)|@import", re.sub(r"<script>.*?</script>", "", html, flags=re.S)
    )
    assert not re.search(r"<script[^>]*\bsrc", html)


def test_a_page_has_a_drawing_and_a_specification_for_every_panel(html: str) -> None:
    tags = Tags()
    tags.feed(html)
    assert tags.count["figure"] == tags.count["svg"] == 2
    # One more: the program that draws.
    assert tags.count["script"] == 3
    assert len(set(tags.ids)) == len(tags.ids)


@pytest.mark.parametrize("ending", ["svg", "png", "html"])
def test_the_same_fit_gives_the_same_bytes(broken: Fit, tmp_path: Path, ending: str) -> None:
    first, second = tmp_path / f"a.{ending}", tmp_path / f"b.{ending}"
    draw_fit([broken], first)
    draw_fit([broken], second)
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize("name", ["fit.pdf", "fit", "fit.jpeg"])
def test_another_ending_is_refused_and_nothing_is_written(broken: Fit, tmp_path: Path, name: str) -> None:
    with pytest.raises(UserError, match=r"fit.*: a picture is a \.svg, \.png or \.html"):
        draw_fit([broken], tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_good_path_is_given_back() -> None:
    assert checked(Path("some/fit.svg")) == Path("some/fit.svg")


def test_what_draws_is_loaded_only_for_a_picture() -> None:
    code = (
        "import sys; import transferscale.scaling.fits.fit, transferscale.scaling.pictures.files, transferscale.cli; "
        "sys.exit(any(name in sys.modules for name in ('altair', 'vl_convert')))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
