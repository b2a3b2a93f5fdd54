"""The demo's simulated dataset: every planted effect."""

from typing import Annotated

from pydantic import Field

from transferscale.study.base import Part, Positive


class Simulation(Part):
    """The demo's simulated dataset; every planted effect is stated here and nowhere else."""

    subjects: Annotated[int, Field(ge=16)] = Field(48, description="subjects, half in each class")
    sites: Positive = Field(2, description="scanners, each with its own offset and noise level")
    first_site: Positive = Field(
        1,
        description="number of the first scanner; other numbers are other scanners, for a dataset from elsewhere",
    )
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
    states: Positive = Field(
        1, description="kinds of block, each with a pattern of its own; trial_type tells them apart"
    )
    latents: Annotated[int, Field(ge=0)] = Field(
        0, description="latent amplitudes a subject, each in a pattern of its own; all enter every mixture"
    )
    mixtures: Positive = Field(
        1, description="continuous targets mixture1, mixture2 ... made of the latents, where there are any"
    )
    similarity: float = Field(
        0.0, ge=0, le=1, description="correlation of any two mixtures: the cosine between their patterns"
    )
    snr: float = Field(
        0.5,
        gt=0,
        description="root mean square of a pattern of states or latents over its parcels at the peak of the response, "
        "in noise SDs",
    )
    noise_ar1: float = Field(0.4, ge=0, lt=1, description="lag-1 autocorrelation of the noise")
    seed: int = Field(0, description="seed of the simulation")
