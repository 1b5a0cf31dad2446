"""How far the probabilities of each class are off, before and after a rescaling."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.calibration.reliability import of_class
from rarecall.analysis.calibration.rescaling import Rescaling, cross_fitted
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions


@dataclass(frozen=True)
class Change:
    """Expected calibration errors of a class: of what the model says, and rescaled."""

    before: float
    after: float


def on_fitted_rows(predictions: Predictions, labels: LabelSpace) -> dict[str, Change]:
    """By class, on the rows that the rescaling is fitted to, cross-fitted: each part by a fit to the others."""
    return _changes(predictions, cross_fitted(predictions), labels)


def on_fresh_rows(predictions: Predictions, rescaling: Rescaling, labels: LabelSpace) -> dict[str, Change]:
    """By class, on rows that the rescaling has not seen; empty without probabilities."""
    if predictions.probabilities is None or not len(predictions):
        return {}
    return _changes(predictions, rescaling.applied(predictions.probabilities), labels)


def _changes(predictions: Predictions, after: FloatArray, labels: LabelSpace) -> dict[str, Change]:
    rescaled = replace(predictions, probabilities=after)
    return {
        name: Change(of_class(predictions, index).gap, of_class(rescaled, index).gap)
        for index, name in enumerate(labels.classes)
    }


def plain(changes: Mapping[str, Change]) -> dict[str, dict[str, float]]:
    """As JSON has them."""
    return {name: {"before": one.before, "after": one.after} for name, one in changes.items()}
