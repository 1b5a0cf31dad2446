"""A band of rows that go to a person, so that a class is found as often as is wanted.

Class-conditional split conformal prediction (Vovk 2012, arXiv 1209.2673; Sadinle et al. 2019, arXiv 1609.00451): of
n rows of the class that did not train, the one with rank ⌊(n + 1)(1 - recall)⌋ from below sets the least score. A new
row of the class reaches it with at least the wanted probability, whatever the model is worth, as long as it comes from
where those n rows came from. Over the draw of the n rows, the share that is reached has a Beta distribution.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.stats import beta

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.analysis.calibration.membership import named_classes
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval


@dataclass(frozen=True)
class Band:
    """Rows with a score of at least `least` that are not named the class go to a person.

    index: of the class. wanted: the recall. rows: of the class that set it. interval: of the share of its rows that
    reach the score, over the draw of these rows. least is -inf where so few rows cannot carry the wish: then every row
    goes to a person.
    """

    index: int
    wanted: float
    least: float
    rows: int
    interval: Interval

    @property
    def everything(self) -> bool:
        """Whether all rows go to a person."""
        return math.isinf(self.least)

    def holds(self, scores: FloatArray, named: BoolArray) -> BoolArray:
        """Whether each row goes to a person [n]; scores, named: [n, classes]."""
        return np.asarray((scores[:, self.index] >= self.least) & ~named[:, self.index])


def band(index: int, wanted: float, scores: FloatArray, level: float = LEVEL) -> Band:
    """The band of a class from the scores [n] of rows of it.

    Raises:
        ValueError: a recall that is not between 0 and 1.

    >>> band(0, 0.75, np.array([0.1, 0.4, 0.6, 0.9])).least  # rank 1 of 4: 5 * 0.25 = 1.25
    0.1
    """
    if not 0 < wanted < 1:
        raise ValueError(f"a recall that is wanted must be between 0 and 1, got {wanted}")
    rows = len(scores)
    rank = math.floor((rows + 1) * (1 - wanted) + 1e-9)
    if rank < 1:
        return Band(index, wanted, -math.inf, rows, Interval(1.0, 1.0))
    tail = (1 - level) / 2
    low, high = beta.ppf([tail, 1 - tail], rows + 1 - rank, rank)
    return Band(index, wanted, float(np.sort(scores)[rank - 1]), rows, Interval(float(low), float(high)))


def rows_needed(wanted: float) -> int:
    """The least number of rows of a class that carries a recall.

    >>> rows_needed(0.9), rows_needed(0.95)
    (9, 19)
    """
    return math.ceil(1 / (1 - wanted) - 1e-9) - 1


@dataclass(frozen=True)
class Cost:
    """share: of all rows that go to a person. hits: the share of these that are of the class, NaN without any. found:
    the share of the class that is named or goes to a person; named: that is named alone.
    """

    share: float
    hits: float
    found: float
    named: float


def cost(of: Band, scores: FloatArray, predictions: Predictions, truth: BoolArray, shares: FloatArray) -> Cost:
    """What a band costs, by rows whose truth is known, weighted to the shares of the classes.

    scores, truth: [n, classes]. shares: [classes] where the band is used.
    """
    named = named_classes(predictions, truth.shape[1])
    held, mine = of.holds(scores, named), truth[:, of.index]
    weighted = rows_at(mine[:, None], shares[of.index : of.index + 1])[:, 0] / len(mine)
    share = float(weighted[held].sum())
    inside = float(weighted[held & mine].sum())
    count = max(int(mine.sum()), 1)
    found, alone = (held | named[:, of.index]) & mine, named[:, of.index] & mine
    return Cost(share, inside / share if share else math.nan, found.sum() / count, alone.sum() / count)


def rows_at(truth: BoolArray, shares: FloatArray) -> FloatArray:
    """How much each row counts for each class [n, classes] where a share of them is of it, with a mean of 1.

    truth: [n, classes]. shares: [classes]. Rows of the class and all others, each at its share; one that is not there
    adds nothing.
    """
    here = truth.mean(axis=0)
    weights: FloatArray = np.where(truth, shares / np.maximum(here, 1e-12), (1 - shares) / np.maximum(1 - here, 1e-12))
    return weights


def class_scores(predictions: Predictions, cuts: Sequence[float] = ()) -> FloatArray:
    """How near each row is to each class [n, classes]: its probability, or how far its overall score is off the tier.

    cuts: ascending, between the tiers; needed where there are scores in place of probabilities.

    >>> one = Predictions(np.array([0]), predicted_overall=np.array([5.0]))
    >>> class_scores(one, [2.0, 6.0]).tolist()
    [[-3.0, 0.0, -1.0]]
    """
    if predictions.probabilities is not None:
        return predictions.probabilities
    overall = predictions.predicted_overall
    if overall is None:
        raise ValueError("a band needs probabilities or scores, got neither")
    low, high = np.array([-np.inf, *cuts]), np.array([*cuts, np.inf])
    return np.asarray(np.minimum(0.0, np.minimum(overall[:, None] - low, high - overall[:, None])))


def bands(wanted: Mapping[int, float], scores: FloatArray, truth: BoolArray, level: float = LEVEL) -> tuple[Band, ...]:
    """A band for each class, by its index, from rows whose truth is known; scores, truth: [n, classes]."""
    return tuple(band(index, recall, scores[truth[:, index], index], level) for index, recall in wanted.items())
