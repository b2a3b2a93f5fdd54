"""The base of every part of a study: unknown keys are errors, and a part can print itself as a spec."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

# Names become folder names and wildcards of the workflow, so they are kept plain.
Name = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Positive = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(gt=0, lt=1)]
Labels = Annotated[int, Field(ge=2)]


class Part(BaseModel):
    """A section of the study file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    def spec(self) -> dict[str, Any]:
        """The part as plain JSON values: what Snakemake compares to decide on a rerun."""
        return self.model_dump(mode="json")
