"""Heads trained side by side, held against scikit-learn one by one."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.screen import stacked
from rarecall.trainables.screen.stacked import Basis, HeadSettings, fit_heads
from rarecall.trainables.tasks import Multiclass, Multilabel

ROWS, FEATURES = 600, 6
NAMES = ("common", "rare")


class Truth:
    """As `Labelled` has it."""

    def __init__(self, classes, scores=None, labels=None):
        self.rows, self.classes, self.scores, self.labels = np.arange(len(classes)), classes, scores, labels
        self.keywords, self.slices = None, {}


@pytest.fixture(scope="module")
def features():
    """Correlated, and of very different spreads."""
    rng = np.random.default_rng(0)
    mixed = rng.normal(size=(ROWS, FEATURES)) @ rng.normal(size=(FEATURES, FEATURES))
    return (mixed * np.logspace(-2, 1, FEATURES) + 3).astype(np.float32)


@pytest.fixture(scope="module")
def classes(features):
    rng = np.random.default_rng(1)
    signal = StandardScaler().fit_transform(features)[:, 0]
    return (signal + 0.5 * rng.normal(size=ROWS) > 1.5).astype(np.int64)


@pytest.fixture(autouse=True)
def to_the_end(monkeypatch):
    """Many small steps: to be held against what other solvers find, not against a quick look."""
    monkeypatch.setattr(stacked, "STEPS", 1500)
    monkeypatch.setattr(stacked, "RATE", 0.02)


def task():
    return Multiclass(LabelSpace(NAMES, ("rare",)))


def settings(strength, **training):
    return HeadSettings(TrainingConfig.model_validate(training), 1 / (strength * ROWS))


def probabilities(head, features):
    outputs = head.outputs(features)
    return 1 / (1 + np.exp(outputs[:, 0] - outputs[:, 1]))


def sklearn_probabilities(features, classes, strength, weights=None):
    scaled = StandardScaler().fit_transform(features)
    # Two rows of weights, each half the difference: together they pay half of what one would, and C is twice ours.
    fitted = LogisticRegression(C=2 * strength, class_weight=weights, max_iter=5000, tol=1e-8).fit(scaled, classes)
    return fitted.predict_proba(scaled)[:, 1]


def test_each_head_is_the_one_that_scikit_learn_finds(features, classes):
    given = [settings(1.0), settings(0.01), settings(1.0, class_weights={"scheme": "balanced"})]
    plain, held_down, weighted = fit_heads(features, task(), Truth(classes), given)
    assert np.abs(probabilities(plain, features) - sklearn_probabilities(features, classes, 1.0)).max() < 0.02
    assert np.abs(probabilities(held_down, features) - sklearn_probabilities(features, classes, 0.01)).max() < 0.02
    # Weights n / (k · n_c) have the mean 1 over all rows, as ours are made to have.
    wanted = sklearn_probabilities(features, classes, 1.0, "balanced")
    assert np.abs(probabilities(weighted, features) - wanted).max() < 0.02
    assert probabilities(weighted, features).mean() > 1.8 * probabilities(plain, features).mean()


def test_oversampling_weighs_as_repeated_rows_do(features, classes):
    """A ratio of 1 repeats each rare row until both classes are as large: balanced weights by other means."""
    one = settings(1.0, oversampling={"ratio": 1.0})
    other = settings(1.0, class_weights={"scheme": "balanced"})
    sampled, weighted = fit_heads(features, task(), Truth(classes), [one, other])
    np.testing.assert_allclose(probabilities(sampled, features), probabilities(weighted, features), atol=1e-3)


def test_the_product_is_divided_without_a_trace(features, classes, monkeypatch):
    given = [settings(strength) for strength in (0.1, 0.3, 1.0)]
    together = fit_heads(features, task(), Truth(classes), given)
    monkeypatch.setattr(stacked, "STACKED", 2)
    for one, other in zip(together, fit_heads(features, task(), Truth(classes), given), strict=True):
        np.testing.assert_allclose(one.weight, other.weight, rtol=1e-3, atol=1e-5)


def test_labels_and_scores_have_heads_too(features, classes):
    labels = np.stack([classes == 1, classes == 0], axis=1)
    space = LabelSpace(NAMES, ("rare",))
    plain = settings(1.0, loss={"gamma": 0.0, "penalty": 0.0})
    (head,) = fit_heads(features, Multilabel(space), Truth(classes, labels=labels), [plain])
    scaled = StandardScaler().fit_transform(features)
    fitted = LogisticRegression(C=1.0 / 2, max_iter=5000, tol=1e-8).fit(scaled, classes)
    wanted = fitted.predict_proba(scaled)[:, 1]
    # The mean over two labels halves the loss against the decay.
    assert np.abs(1 / (1 + np.exp(-head.outputs(features)[:, 0])) - wanted).max() < 0.05


def test_a_turned_basis_gives_back_what_it_was_given(features):
    basis = Basis.of(features)
    inputs = basis.inputs(features).numpy()
    covariance = np.cov(inputs.T)
    np.testing.assert_allclose(covariance, np.diag(np.diag(covariance)), atol=1e-3)
    np.testing.assert_allclose(
        (inputs**2).sum(axis=1), (StandardScaler().fit_transform(features) ** 2).sum(axis=1), rtol=0.01
    )
