"""The size of a view is what the view holds; of what is no view there is none yet."""

from pathlib import Path

import pytest

from tests.transfer.planted import PARCELS, SUBJECTS, VOLUMES, Planted, make
from transferscale.medical.reading import View
from transferscale.medical.size import size_of


@pytest.fixture(scope="module")
def laid_out(tmp_path_factory: pytest.TempPathFactory) -> Planted:
    return make(tmp_path_factory.mktemp("planted"))


def test_a_view_is_counted_as_it_is_read(laid_out: Planted) -> None:
    shown, view = size_of(laid_out.view), View(laid_out.view)
    assert shown.windows == len(view) == 4 * SUBJECTS
    assert shown.each == 4
    assert shown.series == view.series_windows().nbytes == 4 * shown.windows * VOLUMES * PARCELS
    assert shown.clips == view.clips().nbytes


def test_what_is_no_view_is_not_there_yet(tmp_path: Path) -> None:
    # Snakemake knows the input by this name, and asks again when it is built.
    for folder in (tmp_path / "none", tmp_path):
        with pytest.raises(FileNotFoundError) as raised:
            size_of(folder)
        assert raised.value.filename == str(folder)
    (tmp_path / "view.json").write_text('{"shape": [8, 16, 16]}')
    with pytest.raises(FileNotFoundError):
        size_of(tmp_path)
