"""A published encoder made to fit the clips of a study: one channel, another grid. What was done is told.

Rules:
- channels: colour becomes grey exactly (:mod:`transferscale.models.published.grey`);
- grid: the tubelet stays, so it must divide the clip; a table of positions is interpolated
  (:func:`transferscale.models.positions.interpolate`), rotary positions go by index and stay as they are.
"""

from dataclasses import replace

import torch

from transferscale.errors import UserError
from transferscale.models.encoder import VideoEncoder
from transferscale.models.positions import interpolate
from transferscale.models.published.grey import Grey, Normalisation, fold_channels


def adapt(
    encoder: VideoEncoder, frames: int, size: int, normalisation: Normalisation, grey: Grey
) -> tuple[VideoEncoder, list[str]]:
    """The encoder for standardised luminance clips of ``frames`` x ``size`` x ``size``, and what was changed.

    Parameters
    ----------
    normalisation
        Of the encoder's published input; one mean and SD a channel, or one for all.
    grey
        How clips are standardised.

    Raises
    ------
    UserError
        If the tubelet does not divide the clip, or the normalisation has another number of channels.
    """
    old, told = encoder.scale, []
    if frames % old.tubelet_frames or size % old.tubelet_size:
        raise UserError(
            f"--frames {frames} --size {size}: the published tubelet of {old.tubelet_frames} x {old.tubelet_size} x "
            f"{old.tubelet_size} does not divide the clip; give multiples of it"
        )
    if len(normalisation.mean) != old.channels:
        raise UserError(
            f"the published network has {old.channels} channels, but its normalisation has {len(normalisation.mean)}; "
            "give --mean and --sd with one number a channel"
        )
    new = replace(old, channels=1, frames=frames, size=size)
    state = dict(encoder.state_dict())
    kernel = (old.channels, old.tubelet_frames, old.tubelet_size, old.tubelet_size)
    state["tokenizer.weight"], state["tokenizer.bias"] = fold_channels(
        state["tokenizer.weight"].unflatten(1, kernel), state["tokenizer.bias"], normalisation, grey
    )
    if not torch.equal(state["tokenizer.weight"], encoder.tokenizer.weight) or not torch.equal(
        state["tokenizer.bias"], encoder.tokenizer.bias
    ):
        told.append(
            f"{old.channels} channels to 1: weights summed over channels, the published normalisation folded in"
        )
    if new.grid != old.grid:
        change = f"grid {' x '.join(map(str, old.grid))} to {' x '.join(map(str, new.grid))}"
        if new.positions == "rotary":
            told.append(f"{change}: rotary positions by index, as they were")
        else:
            new = replace(new, positions="stored")
            state["positions"] = interpolate(encoder.positions, old.grid, new.grid)
            told.append(f"{change}: positions interpolated, trilinear")
    adapted = VideoEncoder(new)
    adapted.load_state_dict(state, strict=True)
    return adapted, told
