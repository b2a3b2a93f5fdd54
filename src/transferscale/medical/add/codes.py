"""Numbers that stand for a missing value, as in -9999."""

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence

from transferscale.study.people import value

# Nines alone, as statistics programs have them, by themselves or below zero.
CODE = re.compile(r"-?9{2,}(\.0+)?|-9")
# A number that only one person has may be true.
FEWEST = 2
# Values of its own that a column has at least; of fewer, nothing is far from the others.
FEWEST_OTHERS = 3


def missing_codes(cells: Mapping[str, Sequence[str]]) -> dict[str, list[float]]:
    """Columns with codes of missing values, and the codes, rising.

    A code is made of nines, is had by at least two people, and is farther from every other value than those are from
    each other; so 99 is a code among ages of students and a value among ages of the old.

    Parameters
    ----------
    cells
        Column -> its cells.

    Examples
    --------
    >>> missing_codes({"iq": ["101", "95", "120", "-9999", "-9999.0"], "age": ["99", "99", "60", "75", "88"]})
    {'iq': [-9999]}
    """
    found = {name: _codes([text for text in map(value, texts) if text]) for name, texts in cells.items()}
    return {name: codes for name, codes in found.items() if codes}


def _codes(texts: Sequence[str]) -> list[float]:
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        return []
    if not all(map(math.isfinite, numbers)):
        return []
    counts = Counter(numbers)
    suspects = {
        number
        for number, text in zip(numbers, texts, strict=True)
        if CODE.fullmatch(text) and counts[number] >= FEWEST
    }
    others = sorted(set(numbers) - suspects)
    if len(others) < FEWEST_OTHERS:
        return []
    low, high = others[0], others[-1]
    far = [code for code in suspects if max(low - code, code - high) > high - low]
    return [int(code) if code.is_integer() else code for code in sorted(far)]
