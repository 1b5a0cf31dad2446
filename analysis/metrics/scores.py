"""Metrics of tasks with scores."""

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.metrics import widths
from rarecall.analysis.metrics.means import known_mean
from rarecall.analysis.metrics.registry import register
from rarecall.analysis.metrics.tally import Tally

# A `score_spread` below this is a range of scores that has collapsed.
COLLAPSED = 0.25


def _weighted_mae(counted: Tally, weights: FloatArray) -> FloatArray:
    return np.asarray(weights @ np.abs(counted.errors) / weights.sum(axis=1, keepdims=True))


def _weighted_rmse(counted: Tally, weights: FloatArray) -> FloatArray:
    return np.asarray(np.sqrt(weights @ counted.errors**2 / weights.sum(axis=1, keepdims=True)))


@register(
    "mae",
    "min",
    "amount",
    selector="dimension",
    mean=True,
    needs="dimensions",
    weighted=_weighted_mae,
    margin=widths.mae_width,
)
def mae(tally: Tally) -> FloatArray:
    """Mean absolute error per dimension on the score scale, [dimensions]; the bare `mae` is their mean."""
    return known_mean(np.abs(tally.errors.T))


@register(
    "rmse",
    "min",
    "amount",
    selector="dimension",
    mean=True,
    needs="dimensions",
    weighted=_weighted_rmse,
    margin=widths.rmse_width,
)
def rmse(tally: Tally) -> FloatArray:
    """Root mean squared error per dimension on the score scale, [dimensions]; the bare `rmse` is their mean."""
    return np.asarray(np.sqrt(known_mean(tally.errors.T**2)))


@register("score_spread", "max", "amount", needs="dimensions")
def score_spread(tally: Tally) -> float:
    """Standard deviation of the predicted overall scores over that of the true ones; NaN where these are all the same.

    At its best a regression reaches its correlation with the truth, and 0 is the same score for every row.
    """
    true, predicted = tally.predictions.true_overall, tally.predictions.predicted_overall
    if true is None or predicted is None or not true.size or np.ptp(true) == 0:
        return float("nan")
    return float(np.std(predicted) / np.std(true))


@register("catastrophic_failures", "min", "amount", needs="catastrophic", whole_count=True, margin=widths.count_width)
def catastrophic_failures(tally: Tally) -> float:
    """Number of rows that are truly below one cut and predicted above another."""
    rule, predictions = tally.labels.catastrophic, tally.predictions
    if rule is None or predictions.true_overall is None or predictions.predicted_overall is None:
        raise ValueError("the catastrophic rule needs true and predicted overall scores, got none")
    failed = (predictions.true_overall < rule.true_below) & (predictions.predicted_overall > rule.predicted_above)
    return float(failed.sum())


@register("unparsable_answers", "min", "amount", needs="written", whole_count=True, margin=widths.count_width)
def unparsable_answers(tally: Tally) -> float:
    """Number of rows whose answer cannot be read; their predictions are as wrong as can be."""
    answers = tally.predictions.unreadable
    return 0.0 if answers is None else float(sum(answer is not None for answer in answers))
