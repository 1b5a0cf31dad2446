"""Which classes rows are of and which they are named, whether a row has one class or may have several."""

import numpy as np

from rarecall.analysis.arrays import BoolArray
from rarecall.analysis.predictions.predictions import Predictions


def true_classes(predictions: Predictions, classes: int) -> BoolArray:
    """Whether each row is of each class [n, classes]."""
    if predictions.true_labels is not None:
        return predictions.true_labels
    assert predictions.true_class is not None
    return np.asarray(predictions.true_class[:, None] == np.arange(classes))


def named_classes(predictions: Predictions, classes: int) -> BoolArray:
    """Whether each row is named each class [n, classes]."""
    if predictions.predicted_labels is not None:
        return predictions.predicted_labels
    assert predictions.predicted_class is not None
    return np.asarray(predictions.predicted_class[:, None] == np.arange(classes))
