"""What a screen works on."""

from dataclasses import dataclass

from rarecall.analysis.criteria.goal import Goal
from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.trainables.baselines.rows import BaselineRows
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel


@dataclass(frozen=True)
class ScreenInputs:
    """The experiment, all rows of its splits, the data as trials have them, the base model, and what is asked for."""

    loaded: LoadedExperiment
    rows: BaselineRows
    data: PreparedData
    base: BaseModel
    goal: Goal
