"""What all metrics are computed from: one count over the predictions."""

from dataclasses import dataclass, replace

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions


@dataclass(frozen=True)
class Tally:
    """Predictions, counted once; or under many weightings of their rows: then [draws, …] stands before all counts.

    hits, support, predicted: [classes] rows predicted right, rows that truly are, rows predicted as each class; where
    a row may have several labels it counts for each of them. minority: [m] indices of the minority classes.
    exact: rows predicted right altogether. confusion: [classes, classes] counts, rows are the true class; for several
    labels per row [classes, 2, 2], rows are without and with the label. errors: [n, dimensions] predicted minus true
    score, [n, 0] for a task without scores.
    """

    predictions: Predictions
    labels: LabelSpace
    hits: FloatArray
    support: FloatArray
    predicted: FloatArray
    minority: IntArray
    exact: FloatArray | int
    confusion: FloatArray | IntArray
    errors: FloatArray

    @property
    def rows(self) -> int:
        return len(self.predictions)

    @property
    def probabilities(self) -> FloatArray | None:
        return self.predictions.probabilities

    @property
    def truth(self) -> BoolArray:
        """Whether each row is of each class, or has each label, [n, classes]."""
        if self.predictions.true_labels is not None:
            return self.predictions.true_labels
        return _one_hot(self.predictions.true_class, len(self.labels.classes))

    def within(self, members: IntArray) -> "Tally":
        """The same for the classes `members` alone, as far as counts by class go."""
        return replace(
            self,
            hits=self.hits[..., members],
            support=self.support[..., members],
            predicted=self.predicted[..., members],
            minority=np.flatnonzero(np.isin(members, self.minority)),
        )


def tally(predictions: Predictions, labels: LabelSpace) -> Tally:
    """Count the predictions.

    Raises:
        ValueError: labels that the label space needs are missing, a class index is outside it, scores that the task
            has are missing, or a predicted score is not finite.
    """
    confusion = _label_confusion(predictions, labels) if labels.multilabel else _confusion(predictions, labels)
    diagonal = confusion[:, 1, 1] if labels.multilabel else confusion.diagonal()
    support = confusion[:, 1, :].sum(axis=1) if labels.multilabel else confusion.sum(axis=1)
    predicted = confusion[:, :, 1].sum(axis=1) if labels.multilabel else confusion.sum(axis=0)
    return Tally(
        predictions=predictions,
        labels=labels,
        hits=np.asarray(diagonal, dtype=np.float64),
        support=support.astype(np.float64),
        predicted=predicted.astype(np.float64),
        minority=np.array([labels.classes.index(name) for name in labels.minority], dtype=np.int64),
        exact=_exact(predictions) if labels.multilabel else int(diagonal.sum()),
        confusion=confusion,
        errors=_errors(predictions, labels),
    )


def _confusion(predictions: Predictions, labels: LabelSpace) -> IntArray:
    count = len(labels.classes)
    true, predicted = predictions.true_class, predictions.predicted_class
    if true is None or predicted is None:
        raise ValueError("a task with one class per row needs true and predicted classes, got none")
    for which, index in (("true", true), ("predicted", predicted)):
        if index.size and (index.min() < 0 or index.max() >= count):
            raise ValueError(f"a {which} class must be an index below {count}, got {index.min()} to {index.max()}")
    return np.bincount(true * count + predicted, minlength=count * count).reshape(count, count).astype(np.int64)


def _label_confusion(predictions: Predictions, labels: LabelSpace) -> IntArray:
    """[labels, 2, 2]: without and with the label, as scikit-learn's `multilabel_confusion_matrix` has it."""
    true, predicted = _given_labels(predictions)
    shape = (len(predictions), len(labels.classes))
    if true.shape != shape or predicted.shape != shape:
        raise ValueError(f"labels must be [rows, labels], {list(shape)}, got {list(true.shape)}")
    both = np.stack([(~true & ~predicted), (~true & predicted), (true & ~predicted), (true & predicted)])
    counts: IntArray = both.sum(axis=1, dtype=np.int64).T.reshape(len(labels.classes), 2, 2)
    return counts


def _exact(predictions: Predictions) -> int:
    true, predicted = _given_labels(predictions)
    return int((true == predicted).all(axis=1).sum())


def _given_labels(predictions: Predictions) -> tuple[BoolArray, BoolArray]:
    if predictions.true_labels is None or predictions.predicted_labels is None:
        raise ValueError("a task with several labels per row needs true and predicted labels, got none")
    return predictions.true_labels, predictions.predicted_labels


def _errors(predictions: Predictions, labels: LabelSpace) -> FloatArray:
    if not labels.dimensions:
        return np.empty((len(predictions), 0))
    if predictions.true_scores is None or predictions.predicted_scores is None:
        raise ValueError(f"a task with dimensions {list(labels.dimensions)} needs true and predicted scores, got none")
    if not np.isfinite(predictions.predicted_scores).all():
        raise ValueError("predicted scores must be finite, got NaN or infinity (the training diverged)")
    return predictions.predicted_scores.astype(np.float64) - predictions.true_scores


def _one_hot(classes: IntArray | None, count: int) -> BoolArray:
    if classes is None:
        raise ValueError("a task with one class per row needs true classes, got none")
    return np.asarray(classes[:, None] == np.arange(count))
