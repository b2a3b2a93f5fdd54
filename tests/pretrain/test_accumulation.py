"""A batch in parts trains as the batch at once."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.pretrain.moving_squares import rung_spec
from tests.pretrain.rungs import rung
from tests.pretrain.test_rung import curve_of
from transferscale.errors import UserError
from transferscale.pretrain.accumulation import micro_batches
from transferscale.pretrain.data import ClipStream, open_corpus


@pytest.fixture
def stream(corpus: Path) -> ClipStream:
    """Batches of 8."""
    opened = open_corpus(rung_spec(), [corpus / "clips"], [corpus / "clips.parquet"], None, None)
    return ClipStream(opened, 0, 8, 1.0)


def test_the_parts_of_a_step_are_its_batch(stream: ClipStream) -> None:
    whole = stream.at(5)
    four = micro_batches(whole, 4)
    assert [len(part.clip) for part in four] == [2, 2, 2, 2]
    assert torch.equal(torch.cat([part.clip for part in four]), whole.clip)
    assert torch.equal(torch.cat([part.label for part in four]), whole.label)
    for purpose in ("mask", "flip"):
        bits = np.concatenate([part.draw.bits(purpose, 3) for part in four])
        assert (bits == whole.draw.bits(purpose, 3)).all()


@pytest.mark.parametrize("optimizer", ["adamw", "muon"])
def test_the_loss_curve_is_that_of_whole_batches_up_to_rounding(
    corpus: Path, tmp_path: Path, optimizer: str
) -> None:
    folders = [rung(corpus, tmp_path / f"{parts}", accumulate=parts, optimizer=optimizer) for parts in (1, 4)]
    one, other = (curve_of(folder) for folder in folders)
    for name, tolerance in (("loss", 1e-3), ("grad_norm", 2e-2)):
        np.testing.assert_allclose(
            [line[name] for line in one], [line[name] for line in other], rtol=tolerance
        )
    facts = [json.loads((folder / "model.json").read_text()) for folder in folders]
    assert facts[0]["heldout_loss"] == pytest.approx(facts[1]["heldout_loss"], rel=1e-3)
    assert facts[0]["clips_seen"] == facts[1]["clips_seen"]


def test_parts_that_are_not_equal_are_refused(corpus: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a batch of 8 does not divide into 3 equal micro-batches"):
        rung(corpus, tmp_path / "rung1", accumulate=3)
