"""Probabilities brought in line with how often they come true, fitted on rows that did not train.

Where a row has one class: p = softmax(a log q + b) with one slope a and a bias b of each class, temperature scaling
with corrected biases (Alexandari et al. 2020, arXiv 1901.06852). Where it may have several: p = sigmoid(a logit q + b)
for each label (Platt 1999). q is what the model says. A weak prior keeps a near 1 and b near 0 where rows are few.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from scipy.optimize import minimize

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray
from rarecall.analysis.calibration.membership import true_classes
from rarecall.analysis.predictions.predictions import Predictions

FOLDS = 5
# Standard deviations of the prior, in log odds and as a factor: a class of one row moves its bias already.
BIAS_SPREAD, SLOPE_SPREAD = 3.0, 1.0
_SLOPES = (0.01, 100.0)
# Of a probability that rounding made 0.
_LEAST = 1e-12


@dataclass(frozen=True)
class Rescaling:
    """slopes, biases: [classes]. independent: whether each label is there or not, whatever the others are.

    >>> half = Rescaling((0.5, 0.5), (0.0, 0.0))  # square roots of 0.8 and 0.2 are as 2 to 1
    >>> half.applied(np.array([[0.8, 0.2]])).round(4).tolist()
    [[0.6667, 0.3333]]
    """

    slopes: tuple[float, ...]
    biases: tuple[float, ...]
    independent: bool = False

    @classmethod
    def identity(cls, classes: int, independent: bool = False) -> Self:
        """Leaves probabilities as they are."""
        return cls((1.0,) * classes, (0.0,) * classes, independent)

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> Self:
        """Read back what `dataclasses.asdict` and JSON made of it.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        slopes, biases = (tuple(map(float, plain[name])) for name in ("slopes", "biases"))
        if len(slopes) != len(biases) or not np.isfinite([*slopes, *biases]).all():
            raise ValueError(f"a rescaling must have a finite slope and bias for each class, got {dict(plain)}")
        return cls(slopes, biases, bool(plain["independent"]))

    def applied(self, probabilities: FloatArray) -> FloatArray:
        """Probabilities [n, classes] of probabilities [n, classes]."""
        values = _logits(probabilities, self.independent) * np.array(self.slopes) + np.array(self.biases)
        return _sigmoid(values) if self.independent else _softmax(values)


def fit(predictions: Predictions) -> Rescaling:
    """The rescaling of the probabilities that makes these rows most likely, under the prior.

    Raises:
        ValueError: predictions without probabilities or without rows.
    """
    probabilities = _probabilities(predictions)
    truth = true_classes(predictions, probabilities.shape[1])
    if not len(predictions):
        raise ValueError("a rescaling needs rows, got none")
    if predictions.true_labels is None:
        slope, *biases = _fit_classes(_logits(probabilities, independent=False), truth)
        return Rescaling((slope,) * len(biases), tuple(biases))
    logits = _logits(probabilities, independent=True)
    pairs = [_fit_label(logits[:, label], truth[:, label]) for label in range(truth.shape[1])]
    return Rescaling(tuple(slope for slope, _ in pairs), tuple(bias for _, bias in pairs), independent=True)


def cross_fitted(predictions: Predictions, folds: int = FOLDS, seed: int = 0) -> FloatArray:
    """Probabilities [n, classes] of the same rows, each rescaled by a fit to the other parts.

    Parts have their share of each class; where it has fewer rows than there are parts, as even a share as can be.
    """
    probabilities = _probabilities(predictions)
    part = _parts(predictions.strata, min(folds, len(predictions)), seed)
    result = probabilities.copy()
    for one in np.unique(part) if len(predictions) > 1 else ():
        fitted = fit(predictions.take(part != one))
        result[part == one] = fitted.applied(probabilities[part == one])
    return result


def _parts(strata: IntArray, count: int, seed: int) -> IntArray:
    """Number of the part that each row is in [n]."""
    order = np.lexsort((np.random.default_rng(seed).random(len(strata)), strata))
    part = np.empty(len(strata), dtype=np.int64)
    part[order] = np.arange(len(strata)) % max(1, count)
    return part


def _probabilities(predictions: Predictions) -> FloatArray:
    if predictions.probabilities is None:
        raise ValueError("a rescaling needs probabilities, got none")
    return predictions.probabilities


def _fit_classes(logits: FloatArray, truth: BoolArray) -> list[float]:
    """Slope and biases of all classes."""

    def loss(values: FloatArray) -> tuple[float, FloatArray]:
        slope, biases = values[0], values[1:]
        found = _softmax(slope * logits + biases)
        error = found - truth
        slopes = np.concatenate([[(error * logits).sum()], error.sum(axis=0)])
        return float(-np.log(np.maximum(found[truth], _LEAST)).sum()), slopes

    return _minimum(loss, logits.shape[1])


def _fit_label(logits: FloatArray, truth: BoolArray) -> tuple[float, float]:
    """Slope and bias of one label."""

    def loss(values: FloatArray) -> tuple[float, FloatArray]:
        found = values[0] * logits + values[1]
        error = _sigmoid(found) - truth
        return float(np.logaddexp(0.0, np.where(truth, -found, found)).sum()), np.array(
            [(error * logits).sum(), error.sum()]
        )

    slope, bias = _minimum(loss, 1)
    return slope, bias


def _minimum(loss: Any, biases: int) -> list[float]:
    """Where the loss and the prior are least; the problem is convex."""
    at = np.array([1.0, *[0.0] * biases])
    spread = np.array([SLOPE_SPREAD, *[BIAS_SPREAD] * biases])

    def with_prior(values: FloatArray) -> tuple[float, FloatArray]:
        value, slopes = loss(values)
        apart = (values - at) / spread
        return value + float((apart**2).sum()) / 2, slopes + apart / spread

    bounds = [_SLOPES, *[(None, None)] * biases]
    found = minimize(with_prior, at, jac=True, method="L-BFGS-B", bounds=bounds)
    return [float(value) for value in found.x]


def _logits(probabilities: FloatArray, independent: bool) -> FloatArray:
    logs = np.log(np.clip(probabilities, _LEAST, None))
    return np.asarray(logs - np.log(np.clip(1 - probabilities, _LEAST, None)) if independent else logs)


def _softmax(values: FloatArray) -> FloatArray:
    powers = np.exp(values - values.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def _sigmoid(values: FloatArray) -> FloatArray:
    return np.asarray(np.exp(-np.logaddexp(0.0, -values)))
