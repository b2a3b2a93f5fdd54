"""A medical dataset: one YAML file under config/datasets, the only thing to write to swap in another dataset."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from transferscale.study.base import Name, Part, Positive


class SeriesRecordings(Part):
    """Parcellated series, one .npy, .csv, .tsv or .1D file (time x parcels) a recording."""

    kind: Literal["series"]
    pattern: str = Field(
        description="path under root with {subject}, as in 'basc064/{subject}_timeseries.npy'"
    )
    tr_s: float = Field(gt=0, description="repetition time, seconds")


class NiftiRecordings(Part):
    """4D NIfTI volumes, reduced to parcels by a label image in the same space."""

    kind: Literal["nifti"]
    pattern: str = Field(
        description="path under root with {subject}, as in '{subject}/func/{subject}_bold.nii.gz'"
    )
    atlas: str = Field(description="label image (NIfTI), path under root")
    tr_s: float | None = Field(
        None, gt=0, description="repetition time; default: the JSON beside the image, else its header"
    )


Recordings = Annotated[SeriesRecordings | NiftiRecordings, Field(discriminator="kind")]


class Cleaning(Part):
    """What is done to a parcel's series before windows are cut, in nilearn's order (detrend, filter, scale)."""

    detrend: bool = Field(False, description="remove a linear trend a run")
    high_pass_hz: float | None = Field(None, gt=0, description="high-pass cut-off in Hz")
    standardize: bool = Field(True, description="z-score each parcel within its run")


class Windows(Part):
    """Stretches of a recording: window k covers volumes start + k * step ... + volumes - 1."""

    volumes: Positive = Field(description="volumes of a window; equals the clip's frames")
    start: Annotated[int, Field(ge=0)] = Field(0, description="first volume of the first window")
    step: Positive | None = Field(
        None, description="volumes from one window to the next; default: no overlap, no gap"
    )
    count: Positive | None = Field(None, description="windows a recording; default: as many as fit")


class Task(Part):
    """One question asked of the dataset."""

    target: str = Field(
        description="column of participants.tsv, or 'window' for the number of the window (state)"
    )
    kind: Literal["classification", "regression", "state"] = Field(description="kind of task")
    metric: Literal["auroc", "balanced_accuracy", "accuracy", "r", "r2"] = Field(
        description="metric of the verdict"
    )
    transform: Literal["none", "log"] = Field("none", description="applied to a continuous target")
    classes: list[str] | None = Field(
        None, description="classes to keep, the positive one last; default: sorted"
    )
    where: dict[str, str | float | list[str | float]] = Field(
        default_factory=dict,
        description="participants.tsv column -> value or values; other subjects are left out",
    )
    planted: str = Field(
        "", description="for simulated data: the effect that was planted, echoed in the report"
    )

    @model_validator(mode="after")
    def _metric_fits(self) -> "Task":
        continuous = self.metric in ("r", "r2")
        if continuous != (self.kind == "regression"):
            raise ValueError(f"metric '{self.metric}' does not fit a {self.kind} task")
        if (self.target == "window") != (self.kind == "state"):
            raise ValueError("a state task has target 'window', and only a state task")
        return self


class Simulation(Part):
    """The demo's simulated dataset; every planted effect is stated here and nowhere else."""

    subjects: Annotated[int, Field(ge=16)] = Field(48, description="subjects, half in each class")
    sites: Positive = Field(2, description="scanners, each with its own offset and noise level")
    volumes: Positive = Field(120, description="volumes a run")
    tr_s: float = Field(2.0, gt=0, description="repetition time, seconds")
    voxel_mm: float = Field(10.0, ge=6, le=16, description="voxel size of the coarse MNI grid")
    parcels: Positive = Field(64, description="parcels of the label image")
    class_effect: float = Field(
        description="Cohen's d between the classes in the coupling of the planted networks"
    )
    slope: float = Field(
        description="correlation of the continuous target with the planted network's amplitude"
    )
    block_amplitude: float = Field(
        0.6, description="BOLD amplitude of the block design in units of the noise SD"
    )
    noise_ar1: float = Field(0.4, ge=0, lt=1, description="lag-1 autocorrelation of the noise")
    seed: int = Field(0, description="seed of the simulation")


class Dataset(Part):
    """One medical dataset."""

    dataset: Name = Field(description="name of the dataset")
    root: str = Field(description="folder of the dataset; {data_root} and {results} are replaced")
    participants: str = Field("participants.tsv", description="table of subjects, path under root")
    subject_column: str = Field("participant_id", description="column with the subject's name")
    site_column: str | None = Field(None, description="column with the site or scanner")
    family_column: str | None = Field(
        None, description="column with the family; families stay on one side of a split"
    )
    recordings: Recordings = Field(description="where the recordings are and how they are read")
    clean: Cleaning = Field(Cleaning(), description="cleaning of the series")
    view: Literal["roi"] = Field("roi", description="how a window is laid out as a clip")
    windows: Windows = Field(description="windows of a recording")
    tasks: dict[Name, Task] = Field(min_length=1, description="the questions asked")
    max_quarantined: float = Field(
        0.2, ge=0, le=1, description="a larger share of bad recordings stops the run"
    )
    simulate: Simulation | None = Field(None, description="make this dataset first (demo)")
    note: str = Field("", description="one sentence that the report prints beside the dataset")
