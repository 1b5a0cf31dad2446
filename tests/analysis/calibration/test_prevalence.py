"""Probabilities at a stated prevalence: against Bayes' rule, and what cannot be stated."""

import numpy as np
import pytest

from rarecall.analysis.calibration.prevalence import completed, corrected, parse
from rarecall.analysis.errors import InputError

CLASSES = ("calm", "odd", "threat")


def test_a_rarer_class_has_the_posterior_of_bayes_rule():
    # A row four times as likely under threat as under calm: 0.2 * 4 / (0.2 * 4 + 0.8) = 1/2 at 20 %.
    told = np.array([[0.5, 0.5]])
    found = corrected(told, np.array([0.8, 0.2]), np.array([0.99, 0.01]), independent=False)
    assert found[0, 1] == pytest.approx(0.01 * 4 / (0.01 * 4 + 0.99))


def test_independent_labels_are_corrected_one_by_one():
    told = np.array([[0.5, 0.9]])
    found = corrected(told, np.array([0.2, 0.3]), np.array([0.01, 0.3]), independent=True)
    assert found[0].tolist() == pytest.approx([0.01 * 4 / (0.01 * 4 + 0.99), 0.9])


def test_a_class_without_rows_keeps_its_probability():
    found = corrected(np.array([[0.7, 0.3]]), np.array([1.0, 0.0]), np.array([1.0, 0.0]), independent=False)
    assert found.tolist() == [[0.7, 0.3]]


@pytest.mark.parametrize(
    ("texts", "rule"),
    [
        (["threat"], "must read CLASS=SHARE with one of calm, odd, threat"),
        (["threads=0.1"], "must read CLASS=SHARE"),
        (["threat=2"], "must name a share between 0 and 1"),
        (["threat=nan"], "must name a share between 0 and 1"),
        (["threat=some"], "must name a share between 0 and 1"),
        (["threat=0.1", "threat=0.2"], "must name threat once"),
    ],
)
def test_a_prevalence_that_cannot_be_is_refused(texts, rule):
    with pytest.raises(InputError, match=rule):
        parse(texts, CLASSES)


def test_shares_must_fit_together():
    observed = np.array([0.5, 0.3, 0.2])
    with pytest.raises(InputError, match="must leave something"):
        completed({"calm": 0.6, "odd": 0.5}, observed, CLASSES, independent=False)
    with pytest.raises(InputError, match="must sum to 1"):
        completed({"calm": 0.6, "odd": 0.2, "threat": 0.1}, observed, CLASSES, independent=False)
    assert completed({"calm": 0.6, "odd": 0.5}, observed, CLASSES, independent=True).tolist() == [0.6, 0.5, 0.2]
