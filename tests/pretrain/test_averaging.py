"""The average of the weights is the finished model, and training does not notice it."""

import json
from pathlib import Path

import torch
from torch import nn

from tests.pretrain.rungs import rung
from tests.pretrain.test_rung import curve_of
from transferscale.pretrain.averaging import average_of, averaged


def test_it_is_the_exponential_moving_average() -> None:
    network = nn.ModuleDict({"encoder": nn.Linear(1, 1, bias=False)})
    average = average_of(network, 0.75)
    assert average is not None
    expected = None
    for value in (1.0, 2.0, 5.0):
        nn.init.constant_(network["encoder"].weight, value)
        average.update_parameters(network)
        expected = value if expected is None else 0.75 * expected + 0.25 * value
        assert average.module["encoder"].weight.item() == expected


def test_the_networks_get_their_weights_back_to_the_last_bit() -> None:
    network = nn.ModuleDict({"encoder": nn.Linear(8, 8)})
    average = average_of(network, 0.9)
    assert average is not None
    average.update_parameters(network)
    with torch.no_grad():
        network["encoder"].weight.normal_()
    own, mean = network["encoder"].weight.clone(), average.module["encoder"].weight.clone()
    with averaged(network, average):
        assert torch.equal(network["encoder"].weight, mean)
    assert torch.equal(network["encoder"].weight, own)
    assert torch.equal(average.module["encoder"].weight, mean)


def test_no_decay_is_no_average() -> None:
    assert average_of(nn.Linear(1, 1), 0.0) is None


def test_a_rung_with_an_average_trains_as_without_and_finishes_as_its_average(
    corpus: Path, tmp_path: Path
) -> None:
    plain, with_average = rung(corpus, tmp_path / "plain"), rung(corpus, tmp_path / "ema", ema=0.9)
    losses = [[line["loss"] for line in curve_of(folder)] for folder in (plain, with_average)]
    assert losses[0] == losses[1]
    one, other = (json.loads((f / "model.json").read_text()) for f in (plain, with_average))
    assert one["train_loss"] == other["train_loss"]
    assert one["heldout_loss"] != other["heldout_loss"]
    trunk = torch.load(with_average / "trunk.ckpt", weights_only=True)
    assert {f"module.{name}" for name in trunk["networks"]} == trunk["average"].keys() - {"n_averaged"}
    assert trunk["average"]["n_averaged"] == trunk["step"]
