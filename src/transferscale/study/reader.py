"""What a read-out starts from, and its name in paths and tables."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from transferscale.study.label import CorpusLabel

READER = re.compile(
    r"(?P<arm>video\+fmri|video|fmri|control|random|scratch)"
    r"(\.(?P<corpus>[A-Za-z0-9_+-]+)\.(?P<objective>[a-z]+))?"
    r"\.(?P<family>[a-z]+)-d(?P<depth>\d+)\.s(?P<seed>\d+)(\.r(?P<rung>\d+))?"
)
# Arms with something after a colon, which a path has a hyphen for.
FAMILIES_OF_ARMS = ("raw", "hub")
WITHOUT_NETWORK = re.compile(r"(?P<arm>[A-Za-z0-9._-]+?)(\.s(?P<seed>\d+))?")


@dataclass(frozen=True)
class Reader:
    """What a read-out starts from: a checkpoint, random weights, published weights, or a baseline.

    ``corpus`` is the label of what a checkpoint was trained on (:class:`CorpusLabel`), and tells ``control``,
    ``fraction`` and ``fold``.
    """

    arm: str
    corpus: str = ""
    objective: str = ""
    family: str = ""
    depth: int = 0
    seed: int = -1
    rung: int = 0

    @property
    def reader_id(self) -> str:
        """Name of the reader in paths and tables."""
        if not self.family:
            seed = f".s{self.seed}" if self.seed >= 0 else ""
            return self.arm.replace(":", "-") + seed
        origin = f".{self.corpus}.{self.objective}" if self.corpus else ""
        rung = f".r{self.rung}" if self.rung else ""
        return f"{self.arm}{origin}.{self.family}-d{self.depth}.s{self.seed}{rung}"

    @property
    def group(self) -> str:
        """Reader without its seed and its fold: what is averaged over seeds, and whose folds make one whole."""
        return re.sub(r"\.s\d+(?=\.r\d+$|$)|(?<=\w)-k\d+(?=\.[a-z]+\.)", "", self.reader_id)

    @property
    def arm_name(self) -> str:
        """Arm in tables: that of the reader, with the control corpus, or the fraction of the corpus, after a colon."""
        if self.control:
            return f"{self.arm}:{self.control}"
        return self.arm if self.fraction == 1 else f"{self.arm}:{self.fraction:g}"

    @property
    def control(self) -> str:
        """Control corpus, empty for none."""
        return CorpusLabel.parse(self.corpus).control

    @property
    def fraction(self) -> float:
        """Nested fraction of the corpus."""
        return CorpusLabel.parse(self.corpus).fraction

    @property
    def fold(self) -> int:
        """Outer fold whose training subjects it was trained on, -1 for none."""
        return CorpusLabel.parse(self.corpus).fold

    @property
    def pretrained(self) -> bool:
        """Whether weights were learned before any label is seen."""
        return bool(self.corpus) or self.published != ""

    @property
    def published(self) -> str:
        """Name of the published weights, empty for none."""
        return self.arm.removeprefix("hub:") if self.arm.startswith("hub:") else ""

    @property
    def network(self) -> bool:
        """Whether it is a video encoder."""
        return bool(self.family or self.published)

    @property
    def folder(self) -> str:
        """Folder of the checkpoint."""
        if self.published:
            return f"hub/{self.published}"
        return f"pretrain/{self.corpus}/{self.objective}/{self.family}-d{self.depth}/seed{self.seed}/rung{self.rung}"

    @classmethod
    def of_rung(cls, spec: Mapping[str, Any]) -> "Reader":
        """The checkpoint that a rung makes (``Grid.rung_spec``)."""
        model, label = spec["model"], CorpusLabel.parse(spec["corpus"])
        return cls(
            label.arm,
            str(label),
            spec["objective"]["name"],
            model["family"],
            model["depth"],
            spec["seed"],
            spec["rung"],
        )

    @classmethod
    def parse(cls, reader_id: str) -> "Reader":
        """The reader of that name."""
        match = READER.fullmatch(reader_id)
        if match is not None:
            part = match.groupdict(default="")
            return cls(
                arm=part["arm"],
                corpus=part["corpus"],
                objective=part["objective"],
                family=part["family"],
                depth=int(part["depth"]),
                seed=int(part["seed"]),
                rung=int(part["rung"] or 0),
            )
        plain = WITHOUT_NETWORK.fullmatch(reader_id)
        if plain is None:
            raise ValueError(f"'{reader_id}' names no reader")
        arm = plain["arm"]
        for family in FAMILIES_OF_ARMS:
            if arm.startswith(f"{family}-"):
                arm = f"{family}:{arm.removeprefix(f'{family}-')}"
        return cls(arm=arm, seed=int(plain["seed"]) if plain["seed"] else -1)
