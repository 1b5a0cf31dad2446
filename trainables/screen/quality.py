"""How well predictions rank the rows, whatever is decided of them: quick, and so the first look at a head."""

import numpy as np
from sklearn.metrics import average_precision_score

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions


def quality(predictions: Predictions, labels: LabelSpace) -> float:
    """The mean average precision of the minority classes or labels; of scores minus the mean squared error, in which
    each class counts as much as any other. Bigger is better.
    """
    if predictions.probabilities is None:
        return -_squared_error(predictions)
    pairs = (_of_class(predictions, labels.classes.index(name)) for name in labels.minority)
    found = [float(average_precision_score(true, share)) for true, share in pairs if true.any()]
    return float(np.mean(found)) if found else 0.0


def _of_class(predictions: Predictions, number: int) -> tuple[BoolArray, FloatArray]:
    """Which rows have the class or label, and how likely they were said to."""
    assert predictions.probabilities is not None
    share = predictions.probabilities[:, number]
    if predictions.true_labels is not None:
        return predictions.true_labels[:, number], share
    assert predictions.true_class is not None
    return predictions.true_class == number, share


def _squared_error(predictions: Predictions) -> float:
    true, found, classes = predictions.true_scores, predictions.predicted_scores, predictions.true_class
    assert true is not None
    assert found is not None
    assert classes is not None
    errors = ((true - found) ** 2).mean(axis=1)
    return float(np.mean([errors[classes == number].mean() for number in np.unique(classes)]))
