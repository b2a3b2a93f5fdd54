"""Pictures in somebody else's page."""

import json
import re
from dataclasses import replace

from transferscale.scaling.fits.fit import Fit
from transferscale.scaling.pictures.fit import picture
from transferscale.scaling.pictures.page import embed, head
from transferscale.scaling.pictures.palette import pairs


def _specification(html: str) -> dict:
    return json.loads(re.search(r'<script type="application/json">(.*?)</script>', html, re.S)[1])


def test_names_of_groups_cannot_end_a_script(broken: Fit) -> None:
    mean = "</script><script>alert(1)</script>"
    html = embed(picture([replace(broken, group={"task": mean}, y=mean)]), "laws")
    assert "<script>" not in html
    assert html.count("</script>") == 1
    assert mean in json.dumps(_specification(html))


def test_the_interactive_version_is_as_wide_as_its_place_and_answers_to_the_pointer(broken: Fit) -> None:
    live = _specification(embed(picture([broken]), "laws"))
    assert live["width"] == "container"
    assert [param["name"] for param in live["params"]] == ["fit1"]
    tips = live["layer"][0]["encoding"]["tooltip"]
    assert [tip["title"] for tip in tips] == ["params", "loss"]


def test_warnings_are_told_below_the_plot(broken: Fit) -> None:
    html = embed(picture([replace(broken, warnings=["few <points>"])]), "laws")
    assert "<summary>1 warning</summary><ul><li>few &lt;points&gt;</li></ul>" in html
    assert "<summary>" not in embed(picture([replace(broken, warnings=[])]), "laws")


def test_two_pictures_of_a_page_share_no_id(broken: Fit) -> None:
    both = embed(picture([broken]), "one") + embed(picture([broken]), "two")
    ids = re.findall(r'\bid="([^"]+)"', both)
    assert len(set(ids)) == len(ids)
    assert all(f'id="{name}"' in both for name in re.findall(r"url\(#([^)]+)\)", both))


def test_every_colour_has_one_for_a_dark_page(broken: Fit) -> None:
    html = embed(picture([broken]), "laws")
    drawn = set(re.findall(r'(?:fill|stroke)="(#[0-9a-f]{6})"', html))
    assert drawn <= set(pairs())
    assert all(f'[fill="{colour}"]' in head() for colour in drawn)
