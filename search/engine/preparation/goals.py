"""What a search is after, checked against the classes and weights of its data."""

from collections.abc import Callable
from typing import Any

import numpy as np

from rarecall.analysis.criteria.bands import read_bands
from rarecall.analysis.criteria.criterion import check, check_objective, check_second_objective, parse
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.settings import SECOND_OBJECTIVE, VALUES
from rarecall.search.experiment.schema import Experiment
from rarecall.trainables.data.prepared import LabelledSplits, PreparedData
from rarecall.trainables.data.reading.cells import listed


def goal_of(experiment: Experiment, labels: LabelSpace) -> Goal:
    """Criteria and objective, checked against the classes that the data turned out to have."""
    criteria = tuple(parse(text, labels.minority) for text in experiment.criteria)
    objective, second = experiment.objective, experiment.search.second_objective
    faults = [
        *_faults("criteria", check, criteria, labels),
        *_faults("objective", check_objective, objective, labels),
        *_faults(SECOND_OBJECTIVE, check_second_objective, second, objective, labels),
    ]
    for band in read_bands(bands_of(experiment), labels):
        faults += _faults(f"bands.{band.name}.criteria", check, band.criteria, labels)
    if faults:
        raise InputError(experiment.name, faults)
    return Goal(criteria, objective, second)


def check_goal(experiment: Experiment, data: PreparedData | LabelledSplits) -> Goal:
    """The goal, with all that a search checks of it and of weights against the data.

    Raises:
        InputError: criteria, objectives, parts of the data or weights by class do not fit.
    """
    goal = goal_of(experiment, data.task.label_space)
    check_parts(goal, data)
    check_weights(experiment, data)
    return goal


def check_parts(goal: Goal, data: PreparedData | LabelledSplits) -> None:
    """Criteria about a part of the data that validation does not have would stay undecided for ever."""
    parts = {f"{column}={value}" for column, values in data.validation.slices.items() for value in np.unique(values)}
    rule = f"must be about a part of the validation data, one of {', '.join(sorted(parts)) or 'none (see data.slices)'}"
    faults = [Fault("criteria", rule, one.text) for one in goal.criteria if one.part and one.part not in parts]
    if faults:
        raise InputError("criteria", faults)


def check_weights(experiment: Experiment, data: PreparedData | LabelledSplits) -> None:
    """Where the data name the classes, only now can a weight by name be checked against them."""
    classes = data.task.label_space.classes
    unknown = [name for name in experiment.training.class_weights.values if name not in classes]
    if unknown:
        where = VALUES
        raise InputError(where, [Fault(where, f"must name some of the classes, {listed(classes)}", listed(unknown))])


def bands_of(experiment: Experiment) -> dict[str, Any]:
    """The outcome bands as a ledger keeps them."""
    return {name: band.model_dump(mode="json") for name, band in experiment.bands.items()}


def _faults(where: str, test: Callable[..., None], *arguments: Any) -> list[Fault]:
    try:
        test(*arguments)
    except ValueError as error:
        return [Fault(where, line) for line in str(error).splitlines()]
    return []
