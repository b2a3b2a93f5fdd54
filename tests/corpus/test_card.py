"""The card, and the chain that `corpus add` is."""

import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from transferscale.corpus.add import add
from transferscale.corpus.card import write_card
from transferscale.corpus.motion import film
from transferscale.corpus.synth import encode
from transferscale.errors import UserError
from transferscale.tables import read_table


@pytest.fixture(scope="module")
def added(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("added")
    (root / "v").mkdir()
    for number in range(4):
        encode(film(6, number, 40, 8, 48), 8, root / "v" / f"{number}.mp4")
    encode(film(6, 5, 20, 8, 48), 8, root / "v" / "short.mp4")
    (root / "v" / "bad | `name`.mp4").touch()
    add(root / "v", "street", root / "out", 2)
    return root / "out"


@pytest.fixture(scope="module")
def figures(added: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((added / "statistics.json").read_text())
    return found


def test_add_writes_the_whole_corpus(added: Path) -> None:
    wanted = {"manifest.parquet", "clips", "clips.parquet", "README.md", "contact.png", "statistics.json"}
    assert {path.name for path in added.iterdir() if not path.name.endswith(".prov.json")} == wanted


def test_counts_are_those_of_the_tables(added: Path, figures: dict[str, Any]) -> None:
    clips = read_table(added / "clips.parquet", "clips").to_pylist()
    assert (figures["videos"], figures["ok"], figures["quarantined"], figures["dropped"]) == (6, 5, 1, 1)
    assert figures["clips_train"] + figures["clips_heldout"] + figures["dropped"] == len(clips)
    assert figures["sources"]["folder"]["clips_train"] == figures["clips_train"]
    assert figures["reasons"]["quarantined"] == {"file is empty": 1}
    assert figures["reasons"]["dropped"] == {"longest shot has N frames, a clip needs N": 1}


def test_statistics_are_measured_and_stand_beside_their_targets(figures: dict[str, Any]) -> None:
    assert figures["targets"] == {"spectrum_slope": -3.4, "gradient_kurtosis": 30.0, "frame_difference": 0.14}
    assert -6 < figures["spectrum_slope"] < -1
    assert figures["gradient_kurtosis"] > 3
    assert figures["frame_difference"] > 0


def test_the_card_tells_counts_reasons_and_statistics(added: Path, figures: dict[str, Any]) -> None:
    text = (added / "README.md").read_text()
    assert text.startswith("# Corpus street\n")
    assert f"| all | 6 | 5 | 1 | {figures['clips_train']} | {figures['clips_heldout']} | 1 |" in text
    # A hostile name breaks neither the table nor the code span.
    assert "- `bad / 'name'.mp4`: file is empty (0 bytes)" in text
    assert f"| about 0.14 | {figures['frame_difference']:.3g} |" in text
    assert "![Middle frames of clips](contact.png)" in text


def test_the_contact_sheet_shows_clips(added: Path) -> None:
    with Image.open(added / "contact.png") as sheet:
        assert sheet.format == "PNG"
        # White gaps, and pictures that are not white.
        assert sheet.getpixel((0, 0)) == 255
        assert sheet.crop((4, 4, 100, 100)).getextrema()[0] < 200


def test_the_contact_sheet_shows_the_control_corpora_frame_by_frame(added: Path, tmp_path: Path) -> None:
    spec = {
        "name": "street",
        "clip": {"frames": 16, "size": 32, "stride": 2},
        "controls": ["static", "noise"],
        "seed": 0,
    }
    names = ("README.md", "contact.png", "statistics.json")
    write_card(
        spec,
        added / "manifest.parquet",
        added / "clips",
        added / "clips.parquet",
        *(tmp_path / n for n in names),
    )
    assert (
        "frames of one clip: as it is, and in the control corpora `static`, `noise`."
        in (tmp_path / "README.md").read_text()
    )
    with Image.open(added / "contact.png") as before, Image.open(tmp_path / "contact.png") as after:
        assert after.height == before.height + 3 * 100
        top = before.height - 4

        def tile(row: int, column: int) -> bytes:
            left, upper = 4 + 100 * column, top + 4 + 100 * row
            return after.crop((left, upper, left + 96, upper + 96)).tobytes()

        assert tile(0, 0) != tile(0, 11)  # the clip moves
        assert tile(1, 0) == tile(1, 11)  # repeated
        assert tile(2, 0) != tile(2, 11)


def test_a_bad_folder_or_name_is_told_in_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no such folder"):
        add(tmp_path / "nowhere", "street", tmp_path / "out", 1)
    with pytest.raises(UserError, match=r"'my videos' cannot name a corpus; give --name"):
        add(tmp_path, "my videos", tmp_path / "out", 1)
