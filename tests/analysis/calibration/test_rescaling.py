"""Rescaled probabilities: against scikit-learn, on classes sampled up, and what is read back."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from rarecall.analysis.calibration.reliability import calibration
from rarecall.analysis.calibration.rescaling import Rescaling, cross_fitted, fit
from rarecall.analysis.predictions.predictions import Predictions


def of_classes(truth, probabilities):
    rows = np.arange(len(truth))
    return Predictions(
        rows, true_class=truth, predicted_class=probabilities.argmax(axis=1), probabilities=probabilities
    )


def sampled_up(count=4000, odds=20.0, seed=0):
    """Two normal classes, 5 % rare; the model takes the rare one for `odds` times as frequent as it is."""
    random = np.random.default_rng(seed)
    truth = (random.random(count) < 0.05).astype(np.int64)
    value = random.normal(2.0 * truth, 1.0)
    logit = 2.0 * value - 2.0 + np.log(0.05 / 0.95)  # log of N(2, 1) over N(0, 1) and of the prior
    told = 1 / (1 + np.exp(-(logit + np.log(odds))))
    return truth, np.column_stack([1 - told, told]), 1 / (1 + np.exp(-logit))


def test_a_class_that_was_sampled_up_gets_its_true_probability_back():
    truth, told, right = sampled_up()
    found = fit(of_classes(truth, told))
    assert found.slopes[0] == pytest.approx(1, abs=0.1)
    assert found.biases[1] - found.biases[0] == pytest.approx(-np.log(20), abs=0.25)
    assert np.abs(found.applied(told)[:, 1] - right).mean() < 0.01
    assert np.abs(told[:, 1] - right).mean() > 0.15


def test_cross_fitting_tells_the_error_that_fresh_rows_have():
    truth, told, _ = sampled_up()
    before = calibration(told[:, 1], truth == 1).gap
    after = calibration(cross_fitted(of_classes(truth, told))[:, 1], truth == 1).gap
    fresh, fresh_told, _ = sampled_up(seed=1)
    elsewhere = calibration(fit(of_classes(truth, told)).applied(fresh_told)[:, 1], fresh == 1).gap
    assert before > 0.15
    assert after < 0.02
    assert elsewhere < 0.02


def test_labels_are_rescaled_as_logistic_regression_does_it():
    random = np.random.default_rng(3)
    truth = random.random((3000, 2)) < [0.3, 0.1]
    logits = random.normal(1.5 * truth, 1.0)
    rows = Predictions(
        np.arange(3000), probabilities=1 / (1 + np.exp(-logits)), true_labels=truth, predicted_labels=logits > 0
    )
    found = fit(rows)
    for label in range(2):
        reference = LogisticRegression(C=np.inf).fit(logits[:, [label]], truth[:, label])
        assert found.slopes[label] == pytest.approx(reference.coef_[0, 0], abs=0.02)
        assert found.biases[label] == pytest.approx(reference.intercept_[0], abs=0.03)


def test_mean_probability_is_the_share_where_rows_are_many():
    truth, told, _ = sampled_up()
    assert fit(of_classes(truth, told)).applied(told)[:, 1].mean() == pytest.approx(truth.mean(), abs=0.001)


@pytest.mark.parametrize("rare", [0, 1])
def test_a_class_of_hardly_a_row_is_not_carried_away(rare):
    told = np.tile([0.9, 0.1], (50, 1))
    predictions = of_classes(np.array([1] * rare + [0] * (50 - rare)), told)
    probabilities = fit(predictions).applied(told)
    assert 0.0005 < probabilities[0, 1] < 0.1
    # The row itself is told by a fit that has not seen its class.
    assert (cross_fitted(predictions)[:rare, 1] < 0.05).all()


def test_every_row_is_told_by_the_other_parts():
    truth, told, _ = sampled_up(40)
    predictions = of_classes(truth, told)
    found = cross_fitted(predictions, folds=40)
    for row in (0, 17):
        alone = fit(predictions.take(np.arange(40) != row)).applied(told[[row]])
        assert found[row] == pytest.approx(alone[0])
    assert np.array_equal(cross_fitted(predictions.take(np.array([3]))), told[[3]])


def test_a_stored_rescaling_is_read_back_and_a_damaged_one_refused():
    stored = {"slopes": [1.5], "biases": [-0.25], "independent": True}
    assert Rescaling.from_plain(stored) == Rescaling((1.5,), (-0.25,), independent=True)
    with pytest.raises(ValueError, match="finite slope and bias for each class"):
        Rescaling.from_plain({**stored, "biases": [0.0, 1.0]})


def test_without_probabilities_nothing_is_fitted():
    with pytest.raises(ValueError, match="needs probabilities"):
        fit(Predictions(np.arange(2), true_class=np.array([0, 1]), predicted_class=np.array([0, 1])))
