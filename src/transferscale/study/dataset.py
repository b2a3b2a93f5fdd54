"""A medical dataset: one YAML file under config/datasets, the only thing to write to swap in another dataset."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from transferscale.study.base import DISTINCT, Name, Part, Positive
from transferscale.study.cleaning import Cleaning
from transferscale.study.recordings import Recordings
from transferscale.study.simulation import Simulation
from transferscale.study.view import RoiView, View, Windows

# What a state task decodes: which window of the recording, or which event the window follows.
STATES = ("window", "trial_type")

# What is held out together, as one counts it.
UNITS = {"subject": "subjects", "run": "runs", "stretch": "stretches"}

# Confounds that are no columns of the participants table.
MEASURED_CONFOUNDS = ("site", "motion")

# What a condition of ``include`` may name beside the columns of the participants table.
RECORDING_FACTS = ("n_volumes", "tr_s", "mean_fd", "site", "session", "task", "run")


class Task(Part):
    """One question asked of the dataset."""

    target: str = Field(
        description="column of participants.tsv; for a state task 'window', the window's number, or 'trial_type', "
        "the event it follows"
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
    confounds: Annotated[list[str], DISTINCT] | None = Field(
        None,
        description="what arm `confounds` predicts this task from; default: the dataset's, less the target",
    )
    planted: str = Field(
        "", description="for simulated data: the effect that was planted, echoed in the report"
    )

    @model_validator(mode="after")
    def _metric_fits(self) -> "Task":
        continuous = self.metric in ("r", "r2")
        if continuous != (self.kind == "regression"):
            raise ValueError(f"metric '{self.metric}' does not fit a {self.kind} task")
        if (self.target in STATES) != (self.kind == "state"):
            raise ValueError(
                f"a state task has target {' or '.join(map(repr, STATES))}, and only a state task"
            )
        return self


class Fetch(Part):
    """Where a dataset is downloaded from, into its root."""

    kind: Literal["nilearn", "openneuro"] = Field(
        description="a fetcher of nilearn, or a public OpenNeuro dataset"
    )
    name: str = Field(description="as in development_fmri, abide_pcp, adhd, haxby, or ds000228")
    options: dict[str, str | int | float | bool | list[str] | list[int]] = Field(
        default_factory=dict, description="keyword arguments of nilearn's fetcher"
    )
    include: list[str] = Field(
        default_factory=list, description="openneuro: patterns of the files wanted, as in 'sub-*/func/*'"
    )
    licence: str = Field(description="licence of the data; printed before the download and recorded with it")


class Dataset(Part):
    """One medical dataset."""

    dataset: Name = Field(description="name of the dataset")
    root: str = Field(description="folder of the dataset; {data_root} and {results} are replaced")
    participants: str | None = Field(
        "participants.tsv",
        description="table of subjects (tabs, commas or semicolons between columns), path under root; null: the "
        "files' own subjects",
    )
    missing: Annotated[list[str | float], DISTINCT] = Field(
        default_factory=list,
        description="what stands for a missing value in that table beside n/a, NA, nan and nothing, as in [-9999, "
        "unknown]; numbers count however they are written, and subjects' names are left alone",
    )
    subject_column: str = Field("participant_id", description="column with the subject's name")
    site_column: str | None = Field(None, description="column with the site or scanner")
    family_column: str | None = Field(
        None, description="column with the family; families stay on one side of a split"
    )
    confounds: Annotated[list[str], DISTINCT] = Field(
        default_factory=list,
        description="columns of the participants table, 'site' and 'motion' (mean framewise displacement): what arm "
        "`confounds` predicts from",
    )
    unit: Literal["subject", "run", "stretch"] = Field(
        "subject",
        description="what is held out together; 'run' is for a single person's runs, 'stretch' for a single run, and "
        "neither says anything of new people",
    )
    stretches: Annotated[int, Field(ge=4)] | None = Field(
        None,
        description="with unit stretch: consecutive parts of equal length that every run is cut into, each cleaned, "
        "scaled and held out by itself; neighbours still share slow noise",
    )
    include: list[str] = Field(
        default_factory=list,
        description="conditions on columns of the participants table and on n_volumes, tr_s, mean_fd, site, session, "
        "run, as in 'age >= 18 and `scanner type` != \"old\"'; what one removes is counted in the report",
    )
    hold_out: Literal["subjects", "sites"] = Field(
        "subjects", description="what an outer fold holds out: a share of the subjects, or one site"
    )
    recordings: Recordings = Field(description="where the recordings are and how they are read")
    clean: Cleaning = Field(Cleaning(), description="cleaning of the series")
    view: View = Field(
        RoiView(kind="roi"), description="how a window is laid out as a clip; its kind alone, or with options"
    )
    windows: Windows = Field(description="windows of a recording")
    tasks: dict[Name, Task] = Field(min_length=1, description="the questions asked")
    max_quarantined: float = Field(
        0.2, ge=0, le=1, description="a larger share of bad recordings stops the run"
    )
    chunks: Positive = Field(
        1, description="jobs that prepare the view, each a fixed share of the subjects by hash of their names"
    )
    fetch: Fetch | None = Field(None, description="download this dataset first")
    simulate: Simulation | None = Field(None, description="make this dataset first (demo)")
    note: str = Field("", description="one sentence that the report prints beside the dataset")

    @field_validator(
        "view", mode="before", json_schema_input_type=View | Literal["roi", "flatmap", "mosaic", "volume"]
    )
    @classmethod
    def _kind_alone(cls, value: Any) -> Any:
        return {"kind": value} if isinstance(value, str) else value

    @property
    def confounds_of_tasks(self) -> dict[str, list[str]]:
        """What arm ``confounds`` predicts each task about subjects from; tasks without any are not there."""
        found = {
            name: [one for one in self.confounds if one != task.target]
            if task.confounds is None
            else task.confounds
            for name, task in self.tasks.items()
            if task.kind != "state"
        }
        return {name: confounds for name, confounds in found.items() if confounds}

    @property
    def confound_columns(self) -> list[str]:
        """Columns of the participants table that are confounds of some task."""
        named = {one for confounds in self.confounds_of_tasks.values() for one in confounds}
        return sorted(named - set(MEASURED_CONFOUNDS))

    @model_validator(mode="after")
    def _parts_fit(self) -> Self:
        events = self.windows.events is not None
        for name, task in self.tasks.items():
            if task.target in (task.confounds or []):
                raise ValueError(f"task '{name}': its target '{task.target}' is among its own confounds")
            if task.target == "trial_type" and not events:
                raise ValueError(f"task '{name}' decodes trial_type, so windows need 'events'")
        if events and self.recordings.kind != "bids" and self.recordings.events is None:
            raise ValueError("'windows.events' needs 'recordings.events', the path of the events tables")
        if (self.unit == "stretch") != (self.stretches is not None):
            raise ValueError(
                "'unit: stretch' and 'stretches' (how many a run) go together; write both or neither"
            )
        for name, task in self.tasks.items():
            if self.unit == "stretch" and task.kind != "state":
                raise ValueError(
                    f"task '{name}' predicts a column of the participants table, which is the same for all stretches "
                    "of a run; with 'unit: stretch' only state tasks can be asked"
                )
        if self.hold_out == "sites" and self.site_column is None:
            raise ValueError("'hold_out: sites' needs 'site_column'")
        if self.fetch is not None and self.simulate is not None:
            raise ValueError("a dataset is fetched or simulated, not both")
        return self


class ChangedFile(BaseModel):
    """A dataset's file and, beside it, the keys that differ from what it says; the loader merges the two."""

    model_config = ConfigDict(extra="allow")

    file: str = Field(description="the dataset's YAML file")
