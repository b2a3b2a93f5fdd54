"""Small models of transformers with random weights: what published checkpoints look like, without a download."""

import json
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, VideoMAEConfig, VJEPA2Config

MEAN, SD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def videomae_config(**changes: Any) -> VideoMAEConfig:
    base = {
        "image_size": 16,
        "patch_size": 8,
        "num_frames": 4,
        "tubelet_size": 2,
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 80,
        "decoder_hidden_size": 24,
        "decoder_num_hidden_layers": 1,
        "decoder_num_attention_heads": 2,
        "decoder_intermediate_size": 40,
    }
    return VideoMAEConfig(**{**base, **changes})


def vjepa2_config(**changes: Any) -> VJEPA2Config:
    base = {
        "crop_size": 16,
        "patch_size": 8,
        "frames_per_clip": 4,
        "tubelet_size": 2,
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "mlp_ratio": 2.5,
        "pred_hidden_size": 24,
        "pred_num_attention_heads": 2,
        "pred_num_hidden_layers": 1,
    }
    return VJEPA2Config(**{**base, **changes})


def randomised(model: PreTrainedModel, seed: int = 0) -> PreTrainedModel:
    """The model with weights large enough that every one of them shows in its output."""
    source = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            fan_in = parameter[0].numel() if parameter.ndim > 1 else 4
            parameter.add_(torch.randn(parameter.shape, generator=source) * fan_in**-0.5)
    return model.eval()


def saved(model: PreTrainedModel, folder: Path, mean: Any = MEAN, sd: Any = SD) -> Path:
    """The model in a folder as it would be published."""
    model.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps({"image_mean": mean, "image_std": sd}))
    return folder


def pixels(channels: int = 3, frames: int = 4, size: int = 16, count: int = 2) -> torch.Tensor:
    """Input of transformers (count, frames, channels, size, size)."""
    return torch.randn(count, frames, channels, size, size, generator=torch.Generator().manual_seed(9))


def clips(values: torch.Tensor) -> torch.Tensor:
    """The same as our encoders take it: channels first, none where there is one."""
    moved = values.transpose(1, 2)
    return moved.squeeze(1) if moved.shape[1] == 1 else moved
