"""Sums of predictions, and when they have moved: against numpy, and rates of false warnings."""

import json
from dataclasses import asdict

import numpy as np
import pytest

from rarecall.analysis.calibration.abstention import rows_at
from rarecall.analysis.calibration.drift import Tally, named_apart, scored_apart
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

LABELS = LabelSpace(("calm", "threat"), ("threat",))


def drawn(rows, share, seed):
    rare = np.random.default_rng(seed).beta(1, 9, rows) * share / 0.1
    return Predictions(
        np.arange(rows),
        predicted_class=(rare > 0.3).astype(np.int64),
        probabilities=np.column_stack([1 - rare, rare]),
    )


def test_parts_add_up_to_the_whole_and_are_read_back():
    whole = drawn(100, 0.1, 0)
    parts = Tally.of(whole.take(np.arange(40)), LABELS) + Tally.of(whole.take(np.arange(40, 100)), LABELS)
    again = Tally.from_plain(json.loads(json.dumps(asdict(parts))))
    assert again == parts
    assert again.named == {"calm": 100 - whole.predicted_class.sum(), "threat": whole.predicted_class.sum()}
    assert again.mean("threat") == pytest.approx(whole.probabilities[:, 1].mean())
    assert again.spread("threat") == pytest.approx(whole.probabilities[:, 1].std())


def test_each_label_is_weighed_to_its_own_share():
    """2 of 4 rows have a, 1 of 4 has b; at shares of 1/4 and 1/2 they weigh 1/2 and 2, the others 3/2 and 2/3."""
    truth = np.array([[True, True], [True, False], [False, False], [False, False]])
    weights = rows_at(truth, np.array([0.25, 0.5]))
    np.testing.assert_allclose(weights, [[0.5, 2.0], [0.5, 2 / 3], [1.5, 2 / 3], [1.5, 2 / 3]])
    rows = Predictions(np.arange(4), true_labels=truth, predicted_labels=truth, probabilities=truth * 0.8 + 0.1)
    found = Tally.of(rows, LabelSpace(("a", "b"), ("b",)), weights)
    assert found.named == {"a": 1, "b": 2}
    # 0.9 for a quarter of the rows and 0.1 for the others; one half of each.
    assert [found.mean(name) for name in ("a", "b")] == pytest.approx([0.3, 0.5])


def test_scores_of_tiers_have_their_overall_score_beside_them():
    labels = LabelSpace(("low", "high"), ("high",), ("depth",))
    rows = Predictions(
        np.arange(2),
        predicted_class=np.array([0, 1]),
        predicted_scores=np.array([[1.0], [4.0]]),
        predicted_overall=np.array([1.0, 4.0]),
    )
    assert Tally.of(rows, labels).totals == {"depth": 5.0, "overall": 5.0}


def test_rows_of_the_same_kind_hardly_ever_warn():
    before = Tally.of(drawn(500, 0.1, 0), LABELS)
    fresh = [Tally.of(drawn(400, 0.1, seed), LABELS) for seed in range(1, 300)]
    assert sum(named_apart("threat", one, before) or scored_apart("threat", one, before) for one in fresh) <= 6


def test_a_class_that_comes_twice_as_often_warns():
    before, here = Tally.of(drawn(3000, 0.1, 0), LABELS), Tally.of(drawn(3000, 0.2, 1), LABELS)
    assert named_apart("threat", here, before)
    assert scored_apart("threat", here, before)
    assert not named_apart("calm", here, before)


def test_nothing_is_said_of_no_rows():
    none = Tally.of(drawn(0, 0.1, 0), LABELS)
    assert not named_apart("threat", none, none)
    assert not scored_apart("threat", none, none)
    assert np.isnan([none.share("threat"), none.mean("threat"), none.spread("threat")]).all()
