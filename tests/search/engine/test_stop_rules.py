"""Trials that are given up by their own epochs alone."""

import math

import numpy as np
import pytest
from scipy.stats import beta

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.run import EpochRow
from rarecall.search.engine.stop_rules import FAR, NO_GAIN, collapsed, one_class, out_of_reach

MAJORITY, BOTH = [[9, 0], [1, 0]], [[8, 1], [1, 0]]
HALF = parse("recall[rare] >= 0.5")
# Half of Clopper and Pearson's interval at 90 % for 50 of 100 rows.
MARGIN = (beta.ppf(0.95, 51, 50) - beta.ppf(0.05, 50, 51)) / 2


def epochs(*metrics, confusion=None, rule=()):
    return [
        EpochRow("t", epoch, one, confusion, 0.0, 0.0, 0.0, None, None, 0.0, 0.0, rule)
        for epoch, one in enumerate(metrics, start=1)
    ]


def of_spread(*spreads, rule=()):
    return epochs(*({"score_spread": one, "recall[rare]": 0.4, "support[rare]": 100.0} for one in spreads), rule=rule)


def of_recall(*recalls):
    return epochs(*({"recall[rare]": one, "support[rare]": 100.0} for one in recalls))


def test_one_class_in_a_third_of_the_epochs_and_in_two_at_least():
    rows = [*epochs({}, confusion=BOTH), *epochs({}, {}, {}, confusion=MAJORITY)]
    assert one_class(rows, planned=9) == "one class named for every row in 3 epochs in a row"
    assert one_class(rows, planned=10) == ""  # a third are 4
    assert one_class(rows[:2], planned=2) == ""
    assert one_class([*rows, *epochs({}, confusion=BOTH)], planned=9) == ""


def test_a_collapsed_range_in_half_of_the_epochs_and_in_three_at_least():
    reason = "overall scores predicted with 0.12 of the true spread, no wider for 3 epochs"
    assert collapsed(of_spread(0.2, 0.1, 0.12), planned=6, criteria=()) == reason
    assert collapsed(of_spread(0.9, 0.2, 0.1, 0.12), planned=5, criteria=()) == reason
    assert collapsed(of_spread(0.2, 0.1), planned=2, criteria=()) == ""
    assert collapsed(of_spread(0.2, 0.1, 0.12), planned=8, criteria=()) == ""  # a half are 4


@pytest.mark.parametrize("spreads", [(0.05, 0.1, 0.2), (0.2, 0.25, 0.2), (0.2, math.nan, 0.2)])
def test_a_range_that_grows_or_is_wide_enough_or_unknown_is_no_collapse(spreads):
    assert collapsed(of_spread(*spreads), planned=6, criteria=()) == ""
    assert collapsed(of_recall(0.0, 0.0, 0.0), planned=6, criteria=()) == ""  # a task without scores


def test_a_narrow_range_that_is_cut_by_a_rule_of_its_own_or_meets_the_criteria_is_none_either():
    assert collapsed(of_spread(0.1, 0.1, 0.1, rule=(4.1, 4.3)), planned=6, criteria=()) == ""
    assert collapsed(of_spread(0.1, 0.1, 0.1), planned=6, criteria=[parse("recall[rare] >= 0.4")]) == ""
    assert collapsed(of_spread(0.1, 0.1, 0.1), planned=6, criteria=[HALF]) != ""


def test_the_rule_sees_the_collapse_that_the_diagnosis_tells():
    """tests/analysis/test_diagnosis.py: true scores 1, 1, 1, 9, 9, predicted 4, 4, 4, 4.5, 4.5."""
    true, predicted = np.array([1.0, 1, 1, 9, 9]), np.array([4.0, 4, 4, 4.5, 4.5])
    scores = (np.column_stack([true]), np.column_stack([predicted]))
    classes = ((true >= 5).astype(np.int64), (predicted >= 5).astype(np.int64))
    predictions = Predictions(np.arange(5), *classes, None, *scores, true, predicted)
    found = evaluate(predictions, LabelSpace(("low", "high"), ("high",), ("one",)))
    assert found["score_spread"] == pytest.approx(0.5 / 8)  # both sides hold three and two rows
    told = collapsed(epochs(found, found, found), planned=6, criteria=())
    assert told == "overall scores predicted with 0.062 of the true spread, no wider for 3 epochs"


def test_a_criterion_is_out_of_reach_when_it_is_far_away_and_comes_no_nearer():
    short = 0.3 / MARGIN
    assert short > FAR
    told = f"recall[rare] >= 0.5 is out of reach: 0.2 in epoch 4, {short:.1f} margins short and no nearer for 3 epochs"
    assert (
        out_of_reach(of_recall(0.2, 0.1, 0.15, 0.2), planned=6, criteria=[parse("recall[rare] >= 0.1"), HALF]) == told
    )
    assert out_of_reach(of_recall(0.2, 0.1, 0.15), planned=6, criteria=[HALF]) == ""  # nothing before the three
    assert out_of_reach(of_recall(0.2, 0.1, 0.15, 0.2), planned=7, criteria=[HALF]) == ""  # a half are 4
    assert out_of_reach(of_recall(0.2, 0.1, 0.15, 0.2), planned=6, criteria=()) == ""


@pytest.mark.parametrize(
    "recalls",
    [
        (0.2, 0.2, 0.2, 0.2 + 1.01 * NO_GAIN * MARGIN),  # nearer
        (0.2, 0.2 + 1.01 * NO_GAIN * MARGIN, 0.1, 0.1),  # nearer, though not in the last epoch
        (0.5 - 0.99 * FAR * MARGIN, 0.1, 0.1, 0.1),  # once it was not that far
        (0.2, math.nan, 0.2, 0.2),  # nobody knows
    ],
)
def test_what_may_still_be_met_goes_on(recalls):
    assert out_of_reach(of_recall(*recalls), planned=6, criteria=[HALF]) == ""


def test_with_few_rows_nothing_is_far_from_a_threshold():
    """0.5 with 10 rows has a margin of 0.28: a recall of 0 is not two of them short."""
    rows = epochs(*[{"recall[rare]": 0.0, "support[rare]": 10.0}] * 9)
    assert out_of_reach(rows, planned=10, criteria=[HALF]) == ""
