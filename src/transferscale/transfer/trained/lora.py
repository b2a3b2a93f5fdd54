"""Read-out ``lora``: low-rank adapters on every matrix inside the blocks (Hu et al. 2021, arXiv 2106.09685).

Notable:
- the matrix W of a layer becomes W + B A, by the library peft; W stays, B starts at zero;
- they sit on every matrix of the blocks: of a transformer attention and MLP, of a convnet the two maps of the MLP. Its
  filters of one channel have no rank to lower;
- A and B learn at rates of their own, because B has ``rank`` inputs and A as many as the layer (Hayou et al. 2024,
  arXiv 2402.12354): a step moves what B adds as far as a step of ``full`` moves what W says, so that one learning rate
  serves both, every rank and every depth. Rate times decay is that of ``full``.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from transferscale.artefacts import fingerprint
from transferscale.ladder.scale import HEAD
from transferscale.models.mup import Linear, generator
from transferscale.transfer.trained.full import Full
from transferscale.transfer.trained.network import Network


class Lora(Full):
    """Adapters of one rank; see the module."""

    def __init__(self, rank: int) -> None:
        self.rank = rank

    def begin(self, encoder: Network, identity: Sequence[Any]) -> Network:
        """A copy of the encoder with adapters, which alone move."""
        # peft takes a second to import.
        from peft import LoraConfig, inject_adapter_in_model

        model = super().begin(encoder, identity)
        matrices = [name for name, module in model.named_modules() if _inside(name, module)]
        config = LoraConfig(r=self.rank, lora_alpha=self.rank, target_modules=matrices)
        with torch.random.fork_rng(devices=[]):
            inject_adapter_in_model(config, model)
        source = generator("lora", fingerprint(list(identity)))
        with torch.no_grad():
            for first, _ in adapters(model):
                # Drawn on the CPU, wherever the network is.
                first.copy_(torch.empty(first.shape).normal_(0.0, first.shape[1] ** -0.5, generator=source))
        return model

    def groups(self, model: Network, learning_rate: float, weight_decay: float) -> list[dict[str, Any]]:
        """Every A and every B, each with its rate."""
        # That of a hidden matrix, which falls with the width.
        rate = learning_rate * HEAD / model.width
        groups = []
        for first, second in adapters(model):
            for matrix, of_matrix in ((first, rate), (second, rate * first.shape[1] / self.rank)):
                groups.append(
                    {
                        "params": [matrix],
                        "lr": of_matrix,
                        "weight_decay": weight_decay * learning_rate / of_matrix,
                        "eps": 1e-8,
                    }
                )
        return groups


def adapters(model: nn.Module) -> list[tuple[nn.Parameter, nn.Parameter]]:
    """A (rank, inputs) and B (outputs, rank) of every adapted matrix, in order."""
    from peft.tuners.lora import LoraLayer

    layers = [module for module in model.modules() if isinstance(module, LoraLayer)]
    return [
        (layer.get_parameter("lora_A.default.weight"), layer.get_parameter("lora_B.default.weight"))
        for layer in layers
    ]


def _inside(name: str, module: nn.Module) -> bool:
    return isinstance(module, Linear) and name.startswith("blocks.")
