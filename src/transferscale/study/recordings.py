"""Where a dataset's recordings are and how they are read."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from transferscale.study.base import Part

ATLAS_SPACE = Field(
    None,
    description="space of the label image, where its name does not tell (space-, tpl-), as in MNI152NLin6Asym; a "
    "native space (T1w) has to be named, because every person's label image would be another",
)


# Seconds from one volume, or sample, to the next; what lies outside has its unit wrong (milliseconds, as a rule).
IMAGE_TR_S = (0.05, 60.0)
SERIES_TR_S = (0.0005, 60.0)


class _Files(Part):
    """Where a recording's files are: a pattern under root, or a column of the participants table."""

    pattern: str | None = Field(
        None,
        description="path under root with {subject}, and {session}, {run} or {task} where a subject has several "
        "recordings, as in '{subject}/func/{subject}_run-{run}_bold.nii.gz'; * stands for anything",
    )
    path_column: str | None = Field(
        None, description="instead of pattern: column of the participants table with the path under root"
    )
    events: str | None = Field(
        None,
        description="path under root of a recording's events (onset, duration, trial_type; tab separated), with "
        "the pattern's placeholders; without any, one table for all",
    )

    @model_validator(mode="after")
    def _one_way(self) -> Self:
        ways = [key for key in ("pattern", "path_column", "stack") if getattr(self, key, None) is not None]
        if len(ways) != 1:
            named = "pattern, path_column or stack" if hasattr(self, "stack") else "pattern or path_column"
            raise ValueError(f"recordings need one of {named}, found {' and '.join(ways) or 'none'}")
        return self


class SeriesRecordings(_Files):
    """Series of parcels or channels (time x columns): .npy, .npz, .mat, .csv, .tsv, .txt or .1D."""

    kind: Literal["series"]
    stack: str | None = Field(
        None,
        description="instead of pattern: one .npy, .npz or .mat file (subjects x time x columns), its subjects in "
        "the order of the participants table",
    )
    array: str | None = Field(
        None, description="name of the array in an .npz or .mat file; default: its only one"
    )
    tr_s: float = Field(
        ge=SERIES_TR_S[0], le=SERIES_TR_S[1], description="seconds from one volume (sample) to the next"
    )
    columns: list[str] | None = Field(
        None, description="names of the columns to keep, from the table's header; default: all"
    )
    coordinates: str | None = Field(
        None, description="table under root with x, y, z (MNI, mm) of every column, in its order"
    )


class NiftiRecordings(_Files):
    """4D NIfTI volumes."""

    kind: Literal["nifti"]
    atlas: str | None = Field(
        None, description="label image (NIfTI), path under root; what view roi reduces the volumes to"
    )
    atlas_space: str | None = ATLAS_SPACE
    mask: str | None = Field(
        None, description="brain mask, path under root, with the pattern's placeholders or one for all"
    )
    confounds: str | None = Field(
        None, description="fMRIPrep's confounds table of a recording, path under root with placeholders"
    )
    tr_s: float | None = Field(
        None,
        ge=IMAGE_TR_S[0],
        le=IMAGE_TR_S[1],
        description="repetition time in seconds; default: the JSON beside the image, else its header",
    )


class BidsRecordings(Part):
    """BIDS derivatives as fMRIPrep writes them: volumes, surfaces or CIFTI, with masks, confounds and events."""

    kind: Literal["bids"]
    files: Literal["volume", "surface", "cifti"] = Field(
        "volume", description="bold.nii.gz, bold.func.gii of both hemispheres, or bold.dtseries.nii"
    )
    task: str | None = Field(None, description="entity task; default: the only one there is")
    space: str | None = Field(
        None,
        description="entity space, as in MNI152NLin2009cAsym or fsaverage5; default: the only one there is",
    )
    sessions: list[str] | None = Field(None, description="sessions to use; default: all")
    runs: list[str] | None = Field(None, description="runs to use; default: all")
    entities: dict[str, str] = Field(default_factory=dict, description="further entities, as in {res: '2'}")
    raw: str | None = Field(
        None, description="raw BIDS folder with events.tsv and the tasks' JSON files, when it is not root"
    )
    atlas: str | None = Field(
        None, description="label image (NIfTI), path under root, for view roi of volumes"
    )
    atlas_space: str | None = ATLAS_SPACE
    tr_s: float | None = Field(
        None,
        ge=IMAGE_TR_S[0],
        le=IMAGE_TR_S[1],
        description="repetition time in seconds; default: the JSON beside the image, else its header",
    )


Recordings = Annotated[SeriesRecordings | NiftiRecordings | BidsRecordings, Field(discriminator="kind")]
