"""What is done to a run before windows are cut from it."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from transferscale.study.base import Part, Positive


class Confounds(Part):
    """Confounds regressed out, as nilearn's `load_confounds` names them; every threshold is spelled out here."""

    strategy: list[Literal["motion", "wm_csf", "global_signal", "high_pass", "compcor", "scrub"]] = Field(
        min_length=1, description="groups of confounds; 'scrub' leaves volumes out"
    )
    motion: Literal["basic", "power2", "derivatives", "full"] = Field("full", description="6, 12, 12 or 24")
    wm_csf: Literal["basic", "power2", "derivatives", "full"] = Field("basic", description="2, 4, 4 or 8")
    global_signal: Literal["basic", "power2", "derivatives", "full"] = Field(
        "basic", description="1, 2, 2, 4"
    )
    compcor: Literal["anat_combined", "anat_separated", "temporal", "temporal_anat_combined"] = Field(
        "anat_combined", description="which components"
    )
    n_compcor: Positive | Literal["all"] = Field("all", description="components of a mask")
    fd_mm: float = Field(
        0.5, gt=0, description="scrub: framewise displacement above which a volume is left out"
    )
    std_dvars: float = Field(1.5, gt=0, description="scrub: standardised DVARS above which one is left out")
    scrub_segment: Annotated[int, Field(ge=0)] = Field(
        5, description="scrub: shorter stretches between volumes left out are left out too"
    )


class Cleaning(Part):
    """What is done to a run before windows are cut, in nilearn's order: detrend, filter, confounds, then resample
    to a common rate, scale."""

    discard: Annotated[int, Field(ge=0)] = Field(0, description="first volumes to leave out, before anything")
    detrend: bool = Field(False, description="remove a linear trend a run")
    high_pass_hz: float | None = Field(None, gt=0, description="high-pass cut-off in Hz")
    low_pass_hz: float | None = Field(
        None, gt=0, description="low-pass cut-off in Hz; needs filter butterworth"
    )
    filter: Literal["cosine", "butterworth"] = Field(
        "cosine", description="discrete cosines regressed out (SPM, fMRIPrep), or a Butterworth filter"
    )
    confounds: Confounds | None = Field(None, description="regressed out of every column; default: none")
    max_scrubbed: float = Field(
        0.25, ge=0, le=1, description="windows with a larger share of scrubbed volumes are left out"
    )
    resample_s: float | None = Field(
        None, gt=0, description="repetition time that all recordings are brought to; default: their own"
    )
    standardize: bool = Field(True, description="z-score each column within its recording")

    @model_validator(mode="after")
    def _filter_fits(self) -> Self:
        if self.low_pass_hz is not None and self.filter != "butterworth":
            raise ValueError("'low_pass_hz' needs filter 'butterworth'; discrete cosines only pass high")
        if self.low_pass_hz and self.high_pass_hz and self.low_pass_hz <= self.high_pass_hz:
            raise ValueError("'low_pass_hz' must be above 'high_pass_hz'")
        return self
