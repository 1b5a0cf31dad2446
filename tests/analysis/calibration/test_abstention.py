"""Bands of rows for a person: ranks by hand, realised recall against the closed form, and what a band costs."""

import numpy as np
import pytest

from rarecall.analysis.calibration.abstention import Band, band, class_scores, cost, rows_needed
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.intervals import Interval


@pytest.mark.parametrize(("rows", "wanted", "rank"), [(20, 0.9, 2), (120, 0.9, 12), (19, 0.95, 1), (9, 0.9, 1)])
def test_the_least_score_has_the_rank_of_split_conformal_prediction(rows, wanted, rank):
    # ⌊21 * 0.1⌋ = 2, ⌊121 * 0.1⌋ = 12, ⌊20 * 0.05⌋ = 1, ⌊10 * 0.1⌋ = 1
    scores = np.random.default_rng(0).permutation(rows).astype(float)
    assert band(0, wanted, scores).least == rank - 1


def test_too_few_rows_send_every_row_to_a_person():
    few = band(0, 0.9, np.array([0.5] * 8))
    assert few.everything
    assert few.holds(np.zeros((3, 1)), np.array([[False], [True], [False]])).tolist() == [True, False, True]
    assert rows_needed(0.9) == 9


@pytest.mark.parametrize("rows", [20, 120])
def test_realised_recall_is_what_was_wanted_and_spreads_as_told(rows):
    random = np.random.default_rng(rows)
    found = [band(0, 0.9, random.random(rows)) for _ in range(2000)]
    realised = np.array([1 - one.least for one in found])  # of uniform scores, this share reaches it
    # Mean of Beta(n + 1 - rank, rank): 19 of 21, 109 of 121.
    assert realised.mean() == pytest.approx({20: 19 / 21, 120: 109 / 121}[rows], abs=0.004)
    inside = [one.interval.holds(share) for one, share in zip(found, realised, strict=True)]
    assert np.mean(inside) == pytest.approx(0.9, abs=0.02)


def test_what_a_band_costs_is_weighted_to_the_shares_in_use():
    # Ten rows, two of the class: one is named, the other and one of eight others lie in the band.
    truth = np.zeros((10, 2), dtype=bool)
    truth[:2, 1] = truth[2:, 0] = True
    scores = np.tile([1.0, 0.0], (10, 1))
    scores[:3, 1] = [0.9, 0.4, 0.3]
    named = np.array([1] + [0] * 9)
    predictions = Predictions(np.arange(10), true_class=truth.argmax(axis=1), predicted_class=named)
    one = Band(1, 0.9, 0.3, 2, Interval(0.0, 1.0))
    here = cost(one, scores, predictions, truth, np.array([0.8, 0.2]))
    assert (here.share, here.hits, here.found, here.named) == pytest.approx((0.2, 0.5, 1.0, 0.5))
    # At 2 %: 0.02 / 2 of the class and 0.98 / 8 of the others.
    rarer = cost(one, scores, predictions, truth, np.array([0.98, 0.02]))
    assert (rarer.share, rarer.hits) == pytest.approx((0.1325, 0.01 / 0.1325))


def test_rows_are_as_near_to_a_tier_as_their_score():
    rows = Predictions(np.arange(3), predicted_overall=np.array([1.5, 4.0, 7.0]))
    assert class_scores(rows, [2.0, 6.0]).tolist() == [[0.0, -0.5, -4.5], [-2.0, 0.0, -2.0], [-5.0, -1.0, 0.0]]
    with pytest.raises(ValueError, match="probabilities or scores"):
        class_scores(Predictions(np.arange(1)))


def test_a_recall_of_one_cannot_be_had():
    with pytest.raises(ValueError, match=r"between 0 and 1, got 1\.0"):
        band(0, 1.0, np.array([0.5]))
