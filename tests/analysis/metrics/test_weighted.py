"""Whole weights must say the same as repeated rows, any weights the same as scikit-learn's sample weights."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, cohen_kappa_score, f1_score, mean_absolute_error, roc_auc_score

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.metrics import registry
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.metrics.registry import is_whole_count, registered
from rarecall.analysis.metrics.weighted import RowWeights, WeightedRows
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

SCORED = LabelSpace(("a", "b", "c"), ("b", "c"), ("x", "y"), ordered=True)
CLASSES = LabelSpace(("a", "b", "c"), ("b", "c"))
LABELS = LabelSpace(("a", "b", "c"), ("b", "c"), multilabel=True)
NAMES = [metric.name for metric in registered()]


def no_pseudo(draws: int, expected: FloatArray) -> FloatArray:
    return np.zeros((draws, *expected.shape))


def single(seed: int, scored: bool) -> Predictions:
    generator = np.random.default_rng(seed)
    true = np.concatenate([np.arange(3), generator.choice(3, 30, p=[0.7, 0.2, 0.1])])
    n = len(true)
    if scored:
        scores = generator.normal(5, 2, (2, n, 2))
        return Predictions(np.arange(n), true, generator.integers(0, 3, n), None, *scores)
    chances = np.round(generator.dirichlet([1, 1, 1], n), 1)  # ties
    return Predictions(np.arange(n), true, generator.integers(0, 3, n), chances)


def several(seed: int) -> Predictions:
    generator = np.random.default_rng(seed)
    true, predicted = generator.random((2, 40, 3)) < [0.6, 0.3, 0.2]
    return Predictions(
        np.arange(40), true_labels=true, predicted_labels=predicted, probabilities=generator.random((40, 3))
    )


def counts_within(predictions: Predictions, seed: int) -> FloatArray:
    """How often each row is drawn when as many as there are drawn within its class."""
    generator, counts = np.random.default_rng(seed), np.zeros(len(predictions))
    strata = np.zeros(len(predictions)) if predictions.true_class is None else predictions.true_class
    for stratum in np.unique(strata):
        members = np.flatnonzero(strata == stratum)
        np.add.at(counts, generator.choice(members, len(members)), 1)
    return counts


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.sampled_from(["scored", "classes", "labels"]))
def test_whole_weights_are_repeated_rows(seed: int, kind: str) -> None:
    labels = {"scored": SCORED, "classes": CLASSES, "labels": LABELS}[kind]
    predictions = several(seed) if kind == "labels" else single(seed, kind == "scored")
    counts = counts_within(predictions, seed)
    rows = WeightedRows(predictions, labels, np.arange(len(predictions)))
    values = rows.values(NAMES, RowWeights(counts[None], counts[None]), no_pseudo)
    expected = evaluate(predictions.take(np.repeat(np.arange(len(counts)), counts.astype(int))), labels)
    assert set(values) == set(expected)
    for key, value in expected.items():
        if not is_whole_count(key.partition("[")[0]):
            assert values[key][0] == pytest.approx(value, abs=1e-9, nan_ok=True), key


@settings(max_examples=100)
@given(st.integers(0, 10_000))
def test_any_weights_are_sample_weights(seed: int) -> None:
    generator = np.random.default_rng(seed)
    for labels, predictions in ((SCORED, single(seed, True)), (CLASSES, single(seed, False))):
        true, predicted = predictions.true_class, predictions.predicted_class
        assert true is not None
        assert predicted is not None
        weights = generator.standard_exponential(len(true))
        level = weights * (np.bincount(true) / np.bincount(true, weights))[true]
        rows = WeightedRows(predictions, labels, np.arange(len(true)))
        values = rows.values(NAMES, RowWeights(weights[None], weights[None]), no_pseudo)
        f1 = f1_score(true, predicted, average="macro", sample_weight=level, zero_division=0)
        assert values["macro_f1"][0] == pytest.approx(f1, abs=1e-9)
        if predictions.true_scores is not None and predictions.predicted_scores is not None:
            error = mean_absolute_error(predictions.true_scores, predictions.predicted_scores, sample_weight=level)
            assert values["mae"][0] == pytest.approx(error, abs=1e-9)
            kappa = cohen_kappa_score(true, predicted, weights="quadratic", sample_weight=level)
            assert values["quadratic_weighted_kappa"][0] == pytest.approx(kappa, abs=1e-9)
        elif predictions.probabilities is not None:
            area = roc_auc_score(true == 1, predictions.probabilities[:, 1], sample_weight=level)
            assert values["roc_auc[b]"][0] == pytest.approx(area, abs=1e-9)
            area = average_precision_score(true == 1, predictions.probabilities[:, 1], sample_weight=level)
            assert values["pr_auc[b]"][0] == pytest.approx(area, abs=1e-9)


def test_a_metric_that_knows_no_weights_is_computed_from_repeated_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    predictions = single(3, scored=False)
    counts = counts_within(predictions, 3)
    rows = WeightedRows(predictions, CLASSES, np.arange(len(counts)))
    plain = replace(registry._REGISTRY["accuracy"], from_counts=False)
    monkeypatch.setitem(registry._REGISTRY, "accuracy", plain)
    values = rows.values(["accuracy"], RowWeights(counts[None], counts[None]), no_pseudo)
    right = (predictions.true_class == predictions.predicted_class) * counts
    assert values["accuracy"][0] == pytest.approx(right.sum() / counts.sum(), abs=1e-9)


def test_pseudo_rows_by_hand() -> None:
    """Three hits of three and one whole pseudo row: half of it right, a quarter in each other class."""
    predictions = Predictions(np.arange(4), np.array([0, 2, 2, 2]), np.array([0, 2, 2, 2]))
    rows = WeightedRows(predictions, CLASSES, np.arange(4))
    weights = RowWeights(np.ones((1, 4)), np.ones((1, 4)))
    values = rows.values(
        ["recall", "precision", "minority_recall"], weights, lambda draws, half: np.tile(half, (draws, 1, 1))
    )
    assert values["recall[c]"][0] == pytest.approx(3.5 / 4)
    # Class a: 1.5 of 2 right, then scaled to one row, an eighth of which goes to c: c is predicted for 3·3.5/4 + 1/8.
    assert values["precision[c]"][0] == pytest.approx((3 * 3.5 / 4) / (3 * 3.5 / 4 + 1 / 8))
    # Over three classes the pseudo row of each weighs 1/√3; class b has no rows and is left out.
    share = 3**-0.5
    assert values["minority_recall"][0] == pytest.approx((3 + share / 2) / (3 + share))
