"""Behaviour beyond accuracy has its section where a study asks for it."""

from pathlib import Path

import pytest

from tests.scaling.results_folder import demo, fill
from transferscale.report.behaviour import section
from transferscale.study.study import Study
from transferscale.tables import read_table


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    study = demo(tmp_path_factory.mktemp("results"), few_depths=True)
    fill(study)
    return study


def rows(study: Study, name: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = read_table(
        Path(study.folder) / f"scaling/{name}.parquet", name
    ).to_pylist()
    return found


def test_a_condition_with_severities_is_drawn_with_every_arm(study: Study, tmp_path: Path) -> None:
    found = section(study, rows(study, "behaviour"), rows(study, "continual"), tmp_path)
    assert study.behaviour is not None
    names = [drawing.name for drawing in found.drawings]
    assert "behaviour-demo-group-ridge-attack" in names
    assert len(names) == 2 * (len(study.behaviour.corruptions) + 1)
    assert all((tmp_path / f"{name}.png").is_file() for name in names)
    alt = found.drawings[0].alt
    assert "video 0.90 clean and 0.40 at the highest" in alt
    assert "raw linear 0.90 clean" in alt


def test_each_table_has_its_own_rows(study: Study, tmp_path: Path) -> None:
    found = section(study, rows(study, "behaviour"), rows(study, "continual"), tmp_path)
    assert {row["condition"] for row in found.elsewhere} == {"site"}
    assert {row["metric"] for row in found.calibration} == {"brier", "ece"}
    assert {row["stage"] for row in found.continual} == {2}
    assert all(row["metric"] == "auroc" for row in found.changed)


def test_an_arm_is_one_network_of_one_family_at_its_last_rung(study: Study, tmp_path: Path) -> None:
    drawn = [row for row in rows(study, "behaviour") if row["condition"] in ("clean", "attack")]
    video = [row for row in drawn if row["arm"] == "video"]
    more = [{**row, "rung": 1, "value": 0.1} for row in video]
    more += [
        {**row, "reader_group": str(row["reader_group"]).replace("vit", "convnet"), "depth": 9, "value": 0.2}
        for row in video
    ]
    families = {**study.pretrain.families, "convnet": study.pretrain.families["vit"]}
    pretrain = study.pretrain.model_copy(update={"convnet": families["convnet"]})
    both = study.model_copy(update={"pretrain": pretrain})
    alone = section(study, drawn, [], tmp_path / "alone")
    found = section(both, [*more, *drawn], [], tmp_path / "both")
    assert [one.alt for one in found.drawings] == [one.alt for one in alone.drawings]
    assert "the deepest vit network of each arm at its last rung" in found.drawings[0].caption
