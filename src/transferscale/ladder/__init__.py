"""The ladder of scales: one dial, ``depth``, from which all else about a network follows. Arithmetic only.

- ``scale``: shapes and parameters; ``blocks``: what one block holds and costs; ``cost``: what training costs;
- ``multipliers``: muP and CompleteP, so that values chosen at depth 1 serve every depth.

Parameters and FLOPs are counted exactly and tested against torch (6 N is far off at small widths).
"""

from transferscale.ladder.multipliers import Multipliers
from transferscale.ladder.scale import FAMILIES, Scale, scale

__all__ = ["FAMILIES", "Multipliers", "Scale", "scale"]
