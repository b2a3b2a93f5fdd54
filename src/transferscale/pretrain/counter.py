"""Random numbers by counter: a function of names, not of what was drawn before.

Order, flips, crops and masks depend on (seed, purpose, visit, clip) alone, so that a run that was killed and resumed
sees exactly what it would have seen (docs/design.md, rule 5).
"""

import hashlib

import numpy as np
import numpy.typing as npt

Bits = npt.NDArray[np.uint64]


def identify(names: list[str]) -> Bits:
    """A 64-bit number for each name, the same whatever else is in the list."""
    digests = [hashlib.sha256(name.encode()).digest()[:8] for name in names]
    return np.frombuffer(b"".join(digests), dtype=">u8").astype(np.uint64)


def draw_bits(seed: int | str, purpose: str, visit: npt.NDArray[np.int64], ids: Bits, count: int) -> Bits:
    """64 random bits, (clips, count), for each clip at each of its visits.

    Parameters
    ----------
    seed, purpose
        Name the stream.
    visit
        Epoch in which the clip is seen, (clips,).
    ids
        Identity of the clip (:func:`identify`), (clips,).
    """
    key = identify([f"{seed}/{purpose}"])
    state = _mix(_mix(key ^ _mix(visit.astype(np.uint64))) ^ ids)
    return _mix(state[:, None] + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))


def _mix(x: Bits) -> Bits:
    """Finaliser of SplitMix64 (Steele, Lea & Flood 2014): a bijection whose output passes as random."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


class Draw:
    """What may be random about a batch: a seed, and the visit and identity of every clip in it."""

    __slots__ = ("ids", "seed", "visit")

    def __init__(self, seed: int | str, visit: npt.NDArray[np.int64], ids: Bits) -> None:
        self.seed, self.visit, self.ids = seed, visit, ids

    def bits(self, purpose: str, count: int) -> Bits:
        """64 random bits, (clips, count)."""
        return draw_bits(self.seed, purpose, self.visit, self.ids, count)

    def uniform(self, purpose: str, count: int) -> npt.NDArray[np.float64]:
        """Uniform numbers in [0, 1), (clips, count)."""
        return (self.bits(purpose, count) >> np.uint64(11)).astype(np.float64) * 2.0**-53
