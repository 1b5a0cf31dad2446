"""Against scikit-learn, and by hand where it has nothing of the kind."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

NAMES = ("a", "b", "c")


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_rates_are_those_of_scikit_learn(seed: int) -> None:
    generator = np.random.default_rng(seed)
    true = np.concatenate([[0, 1, 2], generator.choice(3, 40, p=[0.8, 0.15, 0.05])])
    predicted = np.where(generator.random(len(true)) < 0.6, true, generator.integers(0, 3, len(true)))
    chances = np.round(generator.dirichlet([1, 1, 1], len(true)), 2)
    found = evaluate(Predictions(np.arange(len(true)), true, predicted, chances), LabelSpace(NAMES, ("b", "c")))
    recalls = reference.recall_score(true, predicted, average=None, labels=range(3), zero_division=0)
    assert found["balanced_accuracy"] == pytest.approx(reference.balanced_accuracy_score(true, predicted))
    assert found["g_mean"] == pytest.approx(np.prod(recalls) ** (1 / 3), abs=1e-9)
    for beta, name in ((2.0, "f2"), (0.5, "f05")):
        scores = reference.fbeta_score(true, predicted, beta=beta, average=None, labels=range(3), zero_division=0)
        assert [found[f"{name}[{one}]"] for one in NAMES] == pytest.approx(list(scores))
    for index, name in enumerate(NAMES):
        negatives = reference.recall_score(true != index, predicted != index, zero_division=0)
        assert found[f"specificity[{name}]"] == pytest.approx(negatives)
        alarms, recall, _ = reference.roc_curve(true == index, chances[:, index], drop_intermediate=False)
        for most in (5, 1):
            assert found[f"recall_at_fpr{most}[{name}]"] == pytest.approx(recall[alarms <= most / 100].max())


def test_recall_at_a_false_alarm_rate_by_hand() -> None:
    # 20 rows without b: one alarm is 5 %. Ranked: b, a, b, a, ...; so one of two is found at 0 %, both at 5 %.
    true = np.array([1, 0, 1, *[0] * 19])
    chance = np.linspace(0.9, 0.1, 22)
    predictions = Predictions(np.arange(22), true, true, np.column_stack([1 - chance, chance]))
    found = evaluate(predictions, LabelSpace(("a", "b"), ("b",)))
    assert (found["recall_at_fpr1[b]"], found["recall_at_fpr5[b]"]) == (0.5, 1.0)


def test_a_class_without_rows_and_one_with_all() -> None:
    predictions = Predictions(np.arange(3), np.zeros(3, int), np.array([0, 0, 1]))
    found = evaluate(predictions, LabelSpace(("a", "b"), ("b",)))
    assert np.isnan([found["specificity[a]"], found["f2[b]"]]).all()
    assert (found["specificity[b]"], found["balanced_accuracy"]) == (pytest.approx(2 / 3), pytest.approx(2 / 3))
