"""The name of what a trunk was trained on, as in ``motion``, ``motion-static``, ``motion-f250``, ``motion+demo-k0``.

It names folders and stands in every table, so all that tells one corpus from another can be read back from it.
"""

import re
from dataclasses import dataclass

from transferscale.study.corpus import CONTROLS

ENDING = re.compile(rf"-(?:(?P<control>{'|'.join(CONTROLS)})|f(?P<fraction>\d{{1,3}})|k(?P<fold>\d+))$")


@dataclass(frozen=True)
class CorpusLabel:
    """What a trunk was trained on.

    Attributes
    ----------
    corpus
        Name of the corpus, empty for recordings alone.
    dataset
        Medical dataset whose recordings are in it, empty for none.
    control
        Control corpus, empty for the corpus itself.
    fraction
        Nested fraction of the corpus, in thousandths.
    fold
        Outer fold whose training subjects' recordings are in it, counted over all repeats; -1 for none.
    """

    corpus: str = ""
    dataset: str = ""
    control: str = ""
    fraction: float = 1.0
    fold: int = -1

    def __str__(self) -> str:
        name = "+".join(part for part in (self.corpus, self.dataset) if part)
        if self.control:
            return f"{name}-{self.control}"
        if self.fraction < 1:
            return f"{name}-f{round(1000 * self.fraction)}"
        return name if self.fold < 0 else f"{name}-k{self.fold}"

    @property
    def plain(self) -> bool:
        """Whether it is the whole corpus and nothing else."""
        return not (self.dataset or self.control) and self.fraction == 1

    @property
    def arm(self) -> str:
        """Arm of a checkpoint trained on it."""
        if self.control:
            return "control"
        if self.dataset:
            return "video+fmri" if self.corpus else "fmri"
        return "video"

    @classmethod
    def parse(cls, text: str) -> "CorpusLabel":
        """The label that reads so."""
        ending = ENDING.search(text)
        if ending is None:
            return cls(text)
        name = text[: ending.start()]
        if ending["control"]:
            return cls(name, control=ending["control"])
        if ending["fraction"]:
            return cls(name, fraction=int(ending["fraction"]) / 1000)
        corpus, _, dataset = name.rpartition("+")
        return cls(corpus, dataset, fold=int(ending["fold"]))


def ambiguous(name: str) -> bool:
    """Whether the name of a corpus or dataset ends like that of a control corpus, a fraction or a fold."""
    return ENDING.search(name) is not None
