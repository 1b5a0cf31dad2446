"""What a threshold on a class would give: rows found and false alarms at each one that finds another row."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.calibration.membership import named_classes, true_classes
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.intervals import Interval, exact

# Places of a threshold that are kept, the rarest class having fewer rows as a rule.
MOST = 200


@dataclass(frozen=True)
class Point:
    """Rows with at least `threshold` are named: hits of the class, and alarms that are of none."""

    threshold: float
    hits: int
    alarms: int
    interval: Interval

    @property
    def precision(self) -> float:
        return self.hits / (self.hits + self.alarms)


@dataclass(frozen=True)
class Curve:
    """points: from the highest threshold down. rows: of the class; all_rows: in all. named: what the decision rule
    gives, hits and alarms; of several tiers, those at or above. average_precision: over all thresholds, as scikit-learn
    has it.
    """

    points: tuple[Point, ...]
    rows: int
    all_rows: int
    named: tuple[int, int]
    average_precision: float

    def recall(self, point: Point) -> float:
        return point.hits / self.rows


def curve(score: FloatArray, truth: BoolArray, named: BoolArray, level: float) -> Curve:
    """The curve of a class; score, truth, named: [n].

    Raises:
        ValueError: no row of the class.

    >>> found = curve(np.array([0.9, 0.8, 0.7]), np.array([True, False, True]), np.array([True, False, False]), 0.9)
    >>> [(one.threshold, one.hits, one.alarms) for one in found.points]
    [(0.9, 1, 0), (0.7, 2, 1)]
    """
    rows = int(truth.sum())
    if not rows:
        raise ValueError("a curve needs rows of the class, got none")
    own = np.unique(score[truth])[::-1]
    kept = own if len(own) <= MOST else own[np.linspace(0, len(own) - 1, MOST).round().astype(np.int64)]
    mine, others = np.sort(score[truth]), np.sort(score[~truth])
    hits = rows - np.searchsorted(mine, kept)
    alarms = len(others) - np.searchsorted(others, kept)
    points = tuple(
        Point(float(at), int(hit), int(alarm), exact(int(hit), rows, level))
        for at, hit, alarm in zip(kept, hits, alarms, strict=True)
    )
    told = (int((named & truth).sum()), int((named & ~truth).sum()))
    return Curve(points, rows, len(score), told, float(average_precision_score(truth, score)))


def class_curve(predictions: Predictions, labels: LabelSpace, name: str, level: float) -> Curve | None:
    """The curve of a class by its probability; of a tier by the overall score, for this tier and those above it.

    None where there is nothing to move a threshold on: no row of the class, the lowest tier, answers without scores.
    """
    index = labels.classes.index(name)
    truth, named = (member(predictions, len(labels.classes)) for member in (true_classes, named_classes))
    if predictions.probabilities is not None:
        score, mine, told = predictions.probabilities[:, index], truth[:, index], named[:, index]
    elif predictions.predicted_overall is not None and labels.dimensions and index:
        score = predictions.predicted_overall
        mine, told = (np.asarray(part[:, index:].any(axis=1)) for part in (truth, named))
    else:
        return None
    return curve(score, mine, told, level) if mine.any() else None
