"""Linear heads as plain weights, held against scikit-learn's own models."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from rarecall.trainables.baselines.linear import ABSENT_LOGIT, TrainingTargets, fit_linear

ROWS = 240


@pytest.fixture(scope="module")
def inputs():
    """Features of very different scales."""
    return np.random.default_rng(0).normal(3.0, (0.01, 1.0, 50.0, 2.0), (ROWS, 4))


@pytest.fixture(scope="module")
def classes(inputs):
    latent = (inputs - inputs.mean(0)) / inputs.std(0) @ (1.0, -0.5, 0.7, 0.2)
    noise = np.random.default_rng(1).normal(0, 0.5, ROWS)
    return np.digitize(latent + noise, (0.8, 1.6))


def targets(kind, values, classes, outputs, balanced=False):
    return TrainingTargets(kind, values, classes, outputs, balanced)


def probabilities(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("count", [2, 3])
def test_classes_are_those_of_logistic_regression_on_standardised_features(inputs, classes, count, balanced):
    labels = np.minimum(classes, count - 1)
    head = fit_linear(inputs, targets("classes", labels, labels, count, balanced), strength=0.3)
    scaled = StandardScaler().fit_transform(inputs)
    weights = "balanced" if balanced else None
    expected = LogisticRegression(C=0.3, class_weight=weights, tol=1e-8).fit(scaled, labels).predict_proba(scaled)
    np.testing.assert_allclose(probabilities(head.outputs(inputs)), expected, atol=1e-3)


def test_a_class_without_rows_is_never_named(inputs, classes):
    head = fit_linear(inputs, targets("classes", classes, classes, 5), strength=1.0)
    assert head.weight[3:].tolist() == [[0.0] * 4] * 2
    assert head.bias[3:].tolist() == [ABSENT_LOGIT] * 2
    assert set(head.outputs(inputs).argmax(axis=1)) <= {0, 1, 2}
    alone = fit_linear(inputs, targets("classes", np.full(ROWS, 1), np.full(ROWS, 1), 2), strength=1.0)
    assert alone.outputs(inputs).argmax(axis=1).tolist() == [1] * ROWS


@pytest.mark.parametrize("balanced", [False, True])
@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_labels_are_those_of_one_logistic_regression_each(inputs, classes, form, balanced):
    features = StandardScaler().fit_transform(inputs)
    given = np.column_stack([classes == 2, classes > 0, np.zeros(ROWS)]).astype(np.float32)
    head = fit_linear(form(features), targets("labels", given, classes, 3, balanced), strength=2.0)
    logits = head.outputs(form(features))
    for label in (0, 1):
        weights = "balanced" if balanced else None
        model = LogisticRegression(C=2.0, class_weight=weights, tol=1e-8).fit(features, given[:, label])
        np.testing.assert_allclose(logits[:, label], model.decision_function(features), atol=2e-2)
    assert logits[:, 2].max() < np.log(1e-5)  # no row has it


def test_scores_are_those_of_ridge_regression(inputs, classes):
    scores = np.column_stack([classes / 2, inputs[:, 1] / 10]).astype(np.float32)
    scaled = StandardScaler().fit_transform(inputs)
    plain = fit_linear(inputs, targets("scores", scores, classes, 2), strength=0.1)
    np.testing.assert_allclose(plain.outputs(inputs), Ridge(alpha=10.0).fit(scaled, scores).predict(scaled), atol=1e-4)
    balanced = fit_linear(inputs, targets("scores", scores, classes, 2, balanced=True), strength=0.1)
    counts = np.bincount(classes)
    weights = (ROWS / (3 * counts))[classes]
    expected = Ridge(alpha=10.0).fit(scaled, scores, sample_weight=weights).predict(scaled)
    np.testing.assert_allclose(balanced.outputs(inputs), expected, atol=1e-4)


def test_two_stages_are_a_logistic_regression_and_a_ridge_regression_of_the_other_rows(inputs, classes):
    scores = inputs[:, 1:2] / 10
    values = np.column_stack([classes == 2, scores]).astype(np.float32)
    head = fit_linear(inputs, targets("two_stage", values, classes, 2), strength=1.0)
    scaled = StandardScaler().fit_transform(inputs)
    stage_1 = LogisticRegression(C=1.0, tol=1e-8).fit(scaled, classes == 2).decision_function(scaled)
    rest = classes != 2
    stage_2 = Ridge(alpha=1.0).fit(scaled[rest], scores[rest, 0]).predict(scaled)
    np.testing.assert_allclose(head.outputs(inputs), np.column_stack([stage_1, stage_2]), atol=2e-2)
