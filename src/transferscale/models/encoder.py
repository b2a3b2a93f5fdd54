"""The encoder that both families share: a tubelet tokenizer, fixed positions, blocks and a final norm.

Notable:
- luminance in, because fMRI has one channel: a clip is (time, height, width) of about zero mean and unit SD;
- a masked encoder embeds and encodes the seen tokens only (He et al. 2022, arXiv 2111.06377);
- families differ in their blocks alone (``vit.py``, ``convnet.py``), so that a difference between them is theirs.
"""

from jaxtyping import Float
from torch import Tensor, nn

from transferscale.ladder import Scale
from transferscale.models import convnet, rotary, vit
from transferscale.models.mup import Linear
from transferscale.models.patches import patches, rows
from transferscale.models.positions import position_table
from transferscale.models.seen import Seen

BLOCKS = {"vit": vit.blocks, "convnet": convnet.blocks}


class VideoEncoder(nn.Module):
    """Pixels to tokens.

    Attributes
    ----------
    scale
        Its shape: counts, multipliers.
    width
        Width of a token.
    grid
        Tokens along time, height and width.
    tokens
        Number of tokens of a clip.
    """

    positions: Tensor

    def __init__(self, scale: Scale) -> None:
        super().__init__()
        self.scale, self.width, self.grid, self.tokens = scale, scale.width, scale.grid, scale.tokens
        self.tokenizer = Linear(scale.patch, scale.width, role="embedding")
        table = position_table(scale.positions, scale.grid, scale.width)
        self.register_buffer("positions", table, persistent=scale.positions == "stored")
        blocks = rotary.blocks if scale.positions == "rotary" else BLOCKS[scale.family]
        self.blocks = blocks(scale)
        self.norm = nn.LayerNorm(scale.width, eps=scale.eps) if scale.final_norm else nn.Identity()

    def forward(
        self,
        clip: Float[Tensor, "batch time height width"],
        seen: Seen | None = None,
        pixels: Float[Tensor, "batch tokens patch"] | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """Encode clips, or only the tokens ``seen`` of each, time by time; the result is normed.

        A clip of several channels is (batch, channels, time, height, width). Who has cut it already (:meth:`cut`)
        gives the ``pixels`` as well.
        """
        x = self.embed(clip, seen, pixels)
        for block in self.blocks:
            x = block(x, seen)
        return self.norm(x)

    def layers(
        self, clip: Float[Tensor, "batch time height width"]
    ) -> list[Float[Tensor, "batch tokens width"]]:
        """The embedding and every block's output, not normed: depth + 1 entries."""
        outputs = [self.embed(clip)]
        for block in self.blocks:
            outputs.append(block(outputs[-1]))
        return outputs

    def embed(
        self,
        clip: Float[Tensor, "batch time height width"],
        seen: Seen | None = None,
        pixels: Float[Tensor, "batch tokens patch"] | None = None,
    ) -> Float[Tensor, "batch tokens width"]:
        """Pixels to tokens, with their positions."""
        pixels = self.cut(clip) if pixels is None else pixels
        if seen is None:
            return self.tokenizer(pixels) + self.positions
        which = seen.tokens(self.grid)
        return self.tokenizer(rows(pixels, which)) + self.positions[which]

    def cut(self, clip: Float[Tensor, "batch time height width"]) -> Float[Tensor, "batch tokens patch"]:
        """Pixels of every token.

        Raises
        ------
        ValueError
            If the clips are not of the network's shape.
        """
        shape = self.scale
        channels = () if shape.channels == 1 else (shape.channels,)
        expected = (*channels, shape.frames, shape.size, shape.size)
        if tuple(clip.shape[1:]) != expected:
            raise ValueError(f"clips are {tuple(clip.shape[1:])}, the network takes {expected}")
        return patches(clip, shape.tubelet_frames, shape.tubelet_size)
