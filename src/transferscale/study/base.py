"""The base of every part of a study: unknown keys are errors, and a part can print itself as a spec."""

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints

# Names become folder names and wildcards of the workflow, so they are kept plain.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Labels = Annotated[int, Field(ge=2)]
T = TypeVar("T")


def _distinct(value: list[T]) -> list[T]:
    for i, item in enumerate(value):
        if item in value[:i]:
            raise ValueError(f"{item!r} stands twice; delete one")
    return value


def _rising(value: list[int]) -> list[int]:
    if sorted(set(value)) != value:
        raise ValueError("depths must rise and not repeat")
    return value


# What stands twice in a list would be run twice, or counted twice.
DISTINCT = AfterValidator(_distinct)
Depths = Annotated[list[Positive], Field(min_length=1), AfterValidator(_rising)]


class Part(BaseModel):
    """A section of the study file."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    def spec(self) -> dict[str, Any]:
        """The part as plain JSON values: what Snakemake compares to decide on a rerun."""
        return self.model_dump(mode="json")
