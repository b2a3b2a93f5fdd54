"""Which steps of a trunk leave a row in its curve, and at which the trunk is probed.

Both are functions of the step alone, counted over the whole trunk, so that the curves of its rungs join up.
"""

import math

# Every step up to this one; from there on this many per factor e, so that the density goes on without a jump.
EVERY = 1000


def kept(step: int) -> bool:
    """Whether ``step`` (from 1) leaves a row: all at first, then evenly in its logarithm."""
    return step <= EVERY or _passes(step, EVERY)


def probed(step: int, per_decade: int) -> bool:
    """Whether the trunk is probed after ``step`` (from 1): ``per_decade`` times as it grows tenfold; 0 is never."""
    return per_decade > 0 and (step == 1 or _passes(step, per_decade / math.log(10)))


def _passes(step: int, per_e: float) -> bool:
    """Whether a grid with ``per_e`` points per factor e has one in (step - 1, step]."""
    if step == 1:
        return True
    # A point that falls on an integer (a power of ten) belongs to that step, whatever rounding makes of it.
    return math.floor(per_e * math.log(step) + 1e-9) > math.floor(per_e * math.log(step - 1) + 1e-9)
