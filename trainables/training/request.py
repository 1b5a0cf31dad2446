"""What a search asks a slot for: one trial, and where it resumes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

# Under which Ray Tune carries a request in the configuration of its trial.
REQUEST = "request"


@dataclass(frozen=True)
class ResumePoint:
    """The epoch after which a trial resumes.

    checkpoint: of that epoch, relative to the run folder. best_score, best_epoch: so far, for early stopping.
    """

    epoch: int
    checkpoint: str
    best_score: float = float("-inf")
    best_epoch: int = 0


@dataclass(frozen=True)
class TrialRequest:
    """One trial as it travels from the searcher through Ray Tune to a slot.

    params: what the searcher chose, by dotted key. config: the sections of `TrialConfig` as plain values, the
    parameters put in. origin: of the parameters: `own`, `known: …` or `sampler`. resume: None for a new trial. until:
    the last epoch that is wanted, None for all. fold: which fold it is trained on, where there are folds of finalists.
    """

    trial: str
    params: Mapping[str, Any]
    config: Mapping[str, Any]
    origin: str = ""
    resume: ResumePoint | None = None
    until: int | None = None
    fold: int | None = None

    @property
    def epochs(self) -> int:
        """How many epochs the trial's schedule has."""
        return int(self.config["training"]["epochs"])

    @property
    def patience(self) -> int | None:
        """Epochs without a better one after which it ends."""
        patience: int | None = self.config["training"]["early_stopping"]
        return patience

    def tune_config(self) -> dict[str, "TrialRequest"]:
        """The configuration of Ray Tune's trial; `request_of` reads it."""
        return {REQUEST: self}

    def resumed(self, point: ResumePoint | None) -> "TrialRequest":
        """The same trial from another epoch on."""
        return replace(self, resume=point)


def request_of(tune_config: Mapping[str, Any]) -> TrialRequest:
    """What the configuration of one of Ray Tune's trials carries."""
    request: TrialRequest = tune_config[REQUEST]
    return request
