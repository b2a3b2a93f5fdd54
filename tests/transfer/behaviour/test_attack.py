"""An attack stays within its radius, is at least as bad as doing nothing, and finds the worst of a linear read-out."""

import torch

from transferscale.transfer.behaviour.attack import attack


def linear(weight: torch.Tensor, row: torch.Tensor):
    """Loss of two rows: minus the sum of their windows along a direction."""

    def losses(series: torch.Tensor) -> torch.Tensor:
        of_window = -(series * weight).sum((1, 2))
        return torch.zeros(2).index_add(0, row, of_window)

    return losses


def test_the_worst_change_of_a_linear_read_out_is_found_at_the_corner_of_the_box() -> None:
    torch.manual_seed(0)
    series, weight = torch.randn(3, 4, 5), torch.randn(4, 5)
    row, radius = torch.tensor([0, 1, 0]), torch.tensor([0.1, 0.2, 0.3])
    start = torch.rand(3, 4, 5) * 2 - 1
    found = attack(linear(weight, row), series, row, radius, start)
    torch.testing.assert_close(found, series - radius[:, None, None] * weight.sign())


def test_an_attack_never_leaves_its_radius_and_never_lowers_a_loss() -> None:
    torch.manual_seed(1)
    series, row = torch.randn(6, 4, 5), torch.arange(6)
    network = torch.nn.Sequential(
        torch.nn.Flatten(), torch.nn.Linear(20, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1)
    )

    def losses(windows: torch.Tensor) -> torch.Tensor:
        return torch.sin(5 * network(windows)[:, 0])

    radius = torch.full((6,), 0.3)
    found = attack(losses, series, row, radius, torch.rand(6, 4, 5) * 2 - 1)
    assert ((found - series).abs() <= 0.3 + 1e-6).all()
    assert (losses(found) >= losses(series)).all()
    assert (losses(found) > losses(series) + 0.1).any()


def test_where_nothing_is_worse_the_window_stays_clean() -> None:
    series, row = torch.randn(2, 3, 3), torch.arange(2)
    radius = torch.full((2,), 0.5)
    found = attack(lambda windows: (windows - windows).sum((1, 2)), series, row, radius, torch.ones(2, 3, 3))
    torch.testing.assert_close(found, series)
