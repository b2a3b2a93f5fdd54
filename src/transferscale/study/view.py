"""How a window is laid out as a clip, and which windows there are."""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from transferscale.study.base import Part, Positive


class RoiView(Part):
    """Every parcel or channel a block of pixels."""

    kind: Literal["roi"]
    order: Literal["auto", "table", "spatial", "flatmap"] = Field(
        "auto",
        description="blocks in the order of the columns, by coordinates as seen from above, or painted at their "
        "place on the flat map; auto: spatial where an atlas or coordinates are given",
    )


class FlatmapView(Part):
    """Both cortical flat maps, sampled from volumes or given as surfaces."""

    kind: Literal["flatmap"]
    radius_mm: float = Field(3.0, gt=0, description="volumes: radius of the ball averaged around a vertex")
    left: str | None = Field(None, description="flat mesh (GIFTI) of another surface space, under root")
    right: str | None = Field(None, description="the same of the right hemisphere")


class MosaicView(Part):
    """Slices of the volume side by side."""

    kind: Literal["mosaic"]
    planes: list[Literal["axial", "coronal", "sagittal"]] = Field(
        ["axial"], min_length=1, description="planes that are cut"
    )
    slices: Positive = Field(16, description="slices a plane, evenly spaced through the brain")


class VolumeView(Part):
    """The volume as 3-D patches, each in the pixels of one token."""

    kind: Literal["volume"]
    patch: tuple[Positive, Positive, Positive] = Field(
        (4, 4, 4),
        description="voxels of a patch; their product is the pixels of a token (tubelet size squared)",
    )


View = Annotated[RoiView | FlatmapView | MosaicView | VolumeView, Field(discriminator="kind")]


class Events(Part):
    """Windows at events instead of at regular steps."""

    lag_s: float = Field(
        5.0, ge=0, description="seconds from an event's onset to its window: the haemodynamic lag"
    )
    trial_types: list[str] | None = Field(None, min_length=1, description="events to use; default: all")
    pauses: bool = Field(
        False,
        description="instead of a window an event: windows one after another that lie wholly in an event of any type "
        "or in a pause, lag_s later, and are called so (trial_type 'event' or 'pause')",
    )

    @model_validator(mode="after")
    def _all_events_or_some(self) -> Self:
        if self.pauses and self.trial_types:
            raise ValueError("a pause is where no event is; delete 'trial_types' or 'pauses'")
        return self


class Windows(Part):
    """Stretches of a recording: window k covers volumes start + k * step ... + volumes - 1, or follows event k."""

    volumes: Positive = Field(description="volumes of a window; equals the clip's frames")
    start: Annotated[int, Field(ge=0)] = Field(0, description="first volume of the first window")
    step: Positive | None = Field(
        None, description="volumes from one window to the next; default: no overlap, no gap"
    )
    count: Positive | None = Field(None, description="windows a recording; default: as many as fit")
    events: Events | None = Field(None, description="one window an event; start and step do not apply")

    @model_validator(mode="after")
    def _regular_or_events(self) -> Self:
        if self.events and (self.start or self.step):
            raise ValueError("'windows.events' places the windows; delete 'start' and 'step'")
        return self
