"""Crops are drawn by counter, the same in every frame of a clip."""

import numpy as np
import pytest
import torch

from transferscale.pretrain.augment import ASPECT, resized_crops
from transferscale.pretrain.counter import Draw, identify

CLIPS = 400


@pytest.fixture
def draw() -> Draw:
    return Draw(0, np.zeros(CLIPS, np.int64), identify([f"clip-{i}" for i in range(CLIPS)]))


@pytest.fixture
def places() -> torch.Tensor:
    """Two clips a draw: every pixel holds its column in frame 0 and its row in frame 1, -1 to 1."""
    line = (torch.arange(32) + 0.5) / 16 - 1
    return torch.stack([line.expand(32, 32), line[:, None].expand(32, 32)]).expand(CLIPS, 2, 32, 32)


def sides(cropped: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Width and height of each crop as shares of the clip, read from the pixels' places."""
    middle = cropped[:, :, 8:24, 8:24]
    return (
        (middle[:, 0, :, -1] - middle[:, 0, :, 0]).mean(1) / (15 / 16),
        (middle[:, 1, -1] - middle[:, 1, 0]).mean(1) / (15 / 16),
    )


def test_crops_have_the_stated_areas_and_aspects_and_stay_inside(places: torch.Tensor, draw: Draw) -> None:
    width, height = sides(resized_crops(places, draw, 0.3))
    area, aspect = width * height, width / height
    assert area.min() > 0.3 * ASPECT[0]  # an aspect that does not fit is cut
    assert area.max() <= 1 + 1e-4
    assert abs(area.mean().item() - 0.65) < 0.05
    assert aspect.min() > ASPECT[0] - 1e-3
    assert aspect.max() < ASPECT[1] + 1e-3
    cropped = resized_crops(places, draw, 0.3)
    assert cropped.abs().max() <= 1


def test_every_frame_of_a_clip_is_cropped_alike(draw: Draw) -> None:
    frame = torch.randn(CLIPS, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    cropped = resized_crops(frame.expand(-1, 3, -1, -1), draw, 0.5)
    assert torch.equal(cropped[:, 0], cropped[:, 2])
    assert not torch.equal(cropped[:, 0], frame[:, 0])


def test_a_clip_is_cropped_alike_whoever_shares_its_batch(places: torch.Tensor, draw: Draw) -> None:
    some = [7, 3, 200]
    alone = Draw(0, draw.visit[some], draw.ids[some])
    torch.testing.assert_close(
        resized_crops(places[some], alone, 0.3), resized_crops(places, draw, 0.3)[some]
    )


def test_another_visit_is_cropped_otherwise(places: torch.Tensor, draw: Draw) -> None:
    again = Draw(0, draw.visit + 1, draw.ids)
    widths = [sides(resized_crops(places, d, 0.3))[0] for d in (draw, again)]
    assert abs(torch.corrcoef(torch.stack(widths))[0, 1].item()) < 0.2
