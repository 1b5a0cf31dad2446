"""Every metric that scikit-learn has as well, on 1,000 random cases."""

import numpy as np
import pytest
import sklearn.metrics as reference
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.metrics.registry import registered
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

NAMES = ("a", "b", "c", "d")
RARE = ("b", "c", "d")


AREAS = {"roc_auc", "pr_auc"}
OTHERS = [metric.name for metric in registered() if metric.name not in AREAS]


def cases(seed: int, count: int) -> tuple[np.ndarray, np.ndarray, np.random.Generator]:
    """True and predicted classes of a case, each class at least once among the true ones."""
    generator = np.random.default_rng(seed)
    true = np.concatenate([np.arange(4), generator.choice(4, count, p=[0.7, 0.15, 0.1, 0.05])])
    return true, np.where(generator.random(len(true)) < 0.6, true, generator.integers(0, 4, len(true))), generator


@settings(max_examples=1000)
@given(st.integers(0, 2**32 - 1), st.integers(20, 80))
def test_metrics_of_classes_and_scores(seed: int, count: int) -> None:
    true, predicted, generator = cases(seed, count)
    scores = generator.normal(5, 2, (2, len(true), 2))
    predictions = Predictions(np.arange(len(true)), true, predicted, None, *scores)
    found = evaluate(predictions, LabelSpace(NAMES, RARE, ("x", "y"), ordered=True), OTHERS)
    precision, recall, f1, support = reference.precision_recall_fscore_support(
        true, predicted, labels=range(4), zero_division=0
    )
    expected = {
        "accuracy": np.mean(true == predicted),
        "macro_f1": f1.mean(),
        "weighted_f1": f1 @ support / support.sum(),
        "minority_recall": recall[1:].mean(),
        "matthews_correlation": reference.matthews_corrcoef(true, predicted),
        "quadratic_weighted_kappa": reference.cohen_kappa_score(true, predicted, weights="quadratic"),
        "mae": reference.mean_absolute_error(*scores),
        "rmse[y]": reference.root_mean_squared_error(scores[0, :, 1], scores[1, :, 1]),
    }
    for name, *values in zip(NAMES, precision, recall, f1, strict=True):
        expected |= dict(zip((f"precision[{name}]", f"recall[{name}]", f"f1[{name}]"), values, strict=True))
    for key, value in expected.items():
        assert found[key] == pytest.approx(value, abs=1e-9), key


@settings(max_examples=1000)
@given(st.integers(0, 2**32 - 1), st.integers(20, 80))
def test_areas(seed: int, count: int) -> None:
    true, predicted, generator = cases(seed, count)
    chances = np.round(generator.dirichlet([1, 1, 1, 1], len(true)), 2)
    found = evaluate(Predictions(np.arange(len(true)), true, predicted, chances), LabelSpace(NAMES, RARE), AREAS)
    assert found["roc_auc[d]"] == pytest.approx(reference.roc_auc_score(true == 3, chances[:, 3]), abs=1e-9)
    assert found["pr_auc[b]"] == pytest.approx(reference.average_precision_score(true == 1, chances[:, 1]), abs=1e-9)
