"""The `corpus` section: where videos come from and the one geometry of every clip."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transferscale.study.base import Name, Part, Positive, Share

# What is done to every clip of a control corpus (``corpus/controls.py``).
CONTROLS = ("static", "shuffled", "phase", "noise")
Control = Literal["static", "shuffled", "phase", "noise"]
Weight = Annotated[
    float | None, Field(gt=0, description="share of the clips seen in training; all sources or none")
]


class Geometry(Part):
    """Shape of every clip of a study: luminance, ``frames`` x ``size`` x ``size``.

    One channel, because fMRI has one; every window of a medical dataset is laid out in the same shape, so that a
    checkpoint takes both.
    """

    frames: Positive = Field(16, description="frames of a clip")
    size: Positive = Field(32, description="height and width of a clip, pixels")
    stride: Positive = Field(2, description="every how many frames of the video a frame is taken")


class FolderSource(Part):
    """A folder of video files, searched recursively."""

    kind: Literal["folder"]
    path: str = Field(description="folder of videos; {data_root} is replaced")
    licence: str = Field("", description="licence of the files, for the manifest")
    labels: str | None = Field(
        None,
        description="class of each video: 'folder' for the name of the folder it lies in, or the path of a .csv or "
        ".tsv table with columns video and label; {data_root} is replaced",
    )
    weight: Weight = None


class SyntheticSource(Part):
    """Videos made here: photographs and flat shapes in motion, encoded as real mp4 files."""

    kind: Literal["synthetic"]
    files: Positive = Field(320, description="number of mp4 files")
    seconds: float = Field(3.0, gt=0.5, le=60, description="length of a file, seconds")
    fps: Positive = Field(16, description="frames per second")
    size: Annotated[int, Field(ge=32, le=512, multiple_of=2)] = Field(
        64, description="height and width, pixels"
    )
    weight: Weight = None


Source = Annotated[FolderSource | SyntheticSource, Field(discriminator="kind")]


class Corpus(Part):
    """The corpus of a study."""

    name: Name = Field(description="name of the corpus; names its folder under results")
    sources: list[Source] = Field(min_length=1, description="where the videos come from")
    clip: Geometry = Field(Geometry(), description="geometry of every clip")
    clips_per_video: Positive = Field(4, description="most clips cut from one video, spread evenly over it")
    heldout: Share = Field(0.1, description="share of the videos kept out of training, for the held-out loss")
    min_motion: float = Field(
        0.0, ge=0, description="clips with less motion than this are dropped with a reason"
    )
    max_quarantined: float = Field(0.5, ge=0, le=1, description="a larger share of bad videos stops the run")
    seed: int = Field(0, description="seed of the synthetic motion and of the held-out choice")

    @model_validator(mode="after")
    def _one_synthetic(self) -> "Corpus":
        if sum(source.kind == "synthetic" for source in self.sources) > 1:
            raise ValueError("at most one source may be synthetic")
        return self

    @model_validator(mode="after")
    def _weights(self) -> "Corpus":
        if len({source.weight is None for source in self.sources}) > 1:
            raise ValueError("corpus.sources: give every source a weight, or none")
        return self

    @property
    def labelled(self) -> bool:
        """Whether every source has labels; the synthetic one always has."""
        return all(isinstance(s, SyntheticSource) or s.labels is not None for s in self.sources)

    @property
    def synthetic(self) -> SyntheticSource | None:
        """The synthetic source, if there is one."""
        return next((s for s in self.sources if isinstance(s, SyntheticSource)), None)
