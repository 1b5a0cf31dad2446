"""What all sections of an experiment file have in common."""

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A part of the experiment file: strict about its keys, never changed after it was read."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
