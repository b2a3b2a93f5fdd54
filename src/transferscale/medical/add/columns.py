"""Columns of a participants table: what each says of the people, and what it can be used for."""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from transferscale.study.people import value

Role = Literal["subject", "name", "constant", "classes", "number", "text"]

# A class that an outer fold of five cannot hold on both sides is no class to predict.
FEWEST_A_CLASS = 5
MOST_CLASSES = 10
# More different numbers than this are a quantity, fewer are codes of classes.
MOST_CODES = 5
SKEWED = 1.0
# Ages and scores of a few people are all different too, but have two digits; file numbers have more.
SHORTEST_NUMBERING = 100

SITE = re.compile(r"(^|[^a-z])(site|scanner|center|centre|hospital|institution)([^a-z]|$|_id)", re.IGNORECASE)
FAMILY = re.compile(r"(^|[^a-z])(family|twin|sibship|pedigree)", re.IGNORECASE)
# Numbers that only tell people apart.
NUMBERED = re.compile(r"(^|[^a-z])(id|index|number|nr|code)$", re.IGNORECASE)
# How somebody was measured, not who they are: never a task unless asked for by name.
MEASURED = re.compile(
    r"scan|coil|voxel|slice|protocol|motion|(^|_)fd(_|$)|quality|(^|_)qc|session|included|date|path|file",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Column:
    """A column of the table.

    Attributes
    ----------
    name
        Its name.
    role
        subject (their names), name (different for everybody), constant, classes, number, or text (many words).
    present, missing
        Rows with and without a value.
    counts
        Value -> rows, the most frequent first.
    numbers
        The values, where all are numbers.
    """

    name: str
    role: Role
    present: int
    missing: int
    counts: dict[str, int] = field(default_factory=dict)
    numbers: tuple[float, ...] = ()

    @property
    def classes(self) -> list[str]:
        """Values that enough people have, in the order of the alphabet."""
        return sorted(text for text, rows in self.counts.items() if rows >= FEWEST_A_CLASS)

    @property
    def is_target(self) -> bool:
        """Whether it can be predicted."""
        return self.role == "number" or (self.role == "classes" and len(self.classes) > 1)

    @property
    def is_numbering(self) -> bool:
        """Whether its numbers may only tell people apart: whole, of three digits or more, different for everybody."""
        whole = self.role == "number" and all(map(float.is_integer, self.numbers))
        return whole and min(self.numbers) >= SHORTEST_NUMBERING and len(set(self.numbers)) == self.present

    @property
    def is_site(self) -> bool:
        """Whether it names the site or scanner."""
        return self.role in ("classes", "text") and bool(SITE.search(self.name))

    @property
    def is_family(self) -> bool:
        """Whether it names the family."""
        return bool(FAMILY.search(self.name)) and self.present > len(self.counts) > 1

    @property
    def is_measurement(self) -> bool:
        """Whether it says how people were measured."""
        return self.is_site or self.is_family or bool(MEASURED.search(self.name))

    @property
    def is_skewed(self) -> bool:
        """Whether its logarithm is nearer to symmetric: positive numbers with a long upper tail."""
        if not self.numbers or min(self.numbers) <= 0:
            return False
        numbers = np.asarray(self.numbers)
        spread = float(numbers.std())
        return spread > 0 and float(((numbers - numbers.mean()) ** 3).mean()) / spread**3 > SKEWED

    def words(self) -> str:
        """Its distribution in a few words."""
        gone = f", {self.missing} missing" if self.missing else ""
        if self.role == "number":
            low, mid, high = np.quantile(self.numbers, [0, 0.5, 1])
            return f"{low:g} to {high:g}, median {mid:g}{gone}"
        if self.role in ("classes", "constant"):
            shown = [f"{text} {rows}" for text, rows in list(self.counts.items())[:6]]
            more = f" and {len(self.counts) - 6} more" if len(self.counts) > 6 else ""
            return ", ".join(shown) + more + gone
        return f"{len(self.counts)} different values{gone}"


def column(name: str, cells: Sequence[str | None], subjects: bool = False) -> Column:
    """A column from its cells, ``subjects`` where they are the people's names.

    Examples
    --------
    >>> column("sex", ["m", "f", "f", "n/a"]).words()
    'f 2, m 1, 1 missing'
    """
    texts = [text for text in map(value, cells) if text is not None]
    counts = dict(sorted(Counter(texts).items(), key=lambda pair: (-pair[1], pair[0])))
    numbers = _numbers(texts)
    return Column(
        name=name,
        role="subject" if subjects else _role(name, counts, numbers, len(texts)),
        present=len(texts),
        missing=len(cells) - len(texts),
        counts=counts,
        numbers=numbers,
    )


def _numbers(texts: Sequence[str]) -> tuple[float, ...]:
    """The values as numbers; none where one is no finite number."""
    try:
        numbers = tuple(float(text) for text in texts)
    except ValueError:
        return ()
    return numbers if all(map(math.isfinite, numbers)) else ()


def _role(name: str, counts: dict[str, int], numbers: tuple[float, ...], present: int) -> Role:
    if len(counts) < 2:
        return "constant"
    if numbers and len(set(numbers)) > MOST_CODES:
        # Row numbers: from 0 or 1 without a gap.
        counted = sorted(numbers) in ([*range(present)], [*range(1, present + 1)])
        different = len(set(numbers)) == present
        return "name" if counted or (different and NUMBERED.search(name)) else "number"
    if len(counts) == present:
        return "name"
    return "classes" if len(counts) <= MOST_CLASSES else "text"
