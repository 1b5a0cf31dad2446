"""Linear models of every kind of target, each as plain weights that an ordinary head can take over."""

import warnings
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import expit
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler
from sklearn.utils.class_weight import compute_sample_weight

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.trainables.tasks.protocol import LEAST_SHARE, logit

# Features [n, features], dense or sparse.
Inputs = Any
Kind = Literal["classes", "labels", "scores", "two_stage"]

MOST_STEPS = 1000
# Of all labels in one product, where words make a million weights: what comes later changes little, and takes minutes.
MOST_JOINT_STEPS = 100
# Of a class without a training row: so much below the others that it is never named.
ABSENT_LOGIT = float(np.log(LEAST_SHARE))


@dataclass(frozen=True, eq=False)
class LinearHead:
    """outputs = inputs · weightᵀ + bias. weight: [outputs, features]; bias: [outputs]."""

    weight: FloatArray
    bias: FloatArray

    def outputs(self, inputs: Inputs) -> FloatArray:
        """Outputs [n, outputs] of inputs [n, features]."""
        return np.asarray(inputs @ self.weight.T + self.bias, dtype=np.float64)


@dataclass(frozen=True, eq=False)
class TrainingTargets:
    """What a head is fitted to. values: as the task's `targets`. classes: [n], by which scores are weighed where
    `balanced`: each class counts as much as any other (scikit-learn's “balanced”). outputs: of the head.
    """

    kind: Kind
    values: Any
    classes: IntArray
    outputs: int
    balanced: bool


def fit_linear(inputs: Inputs, targets: TrainingTargets, strength: float) -> LinearHead:
    """The head with the lowest loss and penalty.

    Logistic regression for classes and labels, ridge regression for scores. strength: `C` of scikit-learn, of ridge
    regression 1 / alpha: the higher, the less the weights are held down. Dense features are standardised first, and the
    scales are folded back into the weights.
    """
    if sparse.issparse(inputs):
        return _fit(inputs, targets, strength)
    scaler = StandardScaler().fit(inputs)
    head = _fit(np.asarray(scaler.transform(inputs)), targets, strength)
    weight = head.weight / scaler.scale_
    return LinearHead(weight, head.bias - weight @ scaler.mean_)


def _fit(inputs: Inputs, targets: TrainingTargets, strength: float) -> LinearHead:
    values = targets.values
    if targets.kind == "classes":
        return _classes(inputs, values, targets.outputs, strength, targets.balanced)
    if targets.kind == "labels":
        return _labels(inputs, values, strength, targets.balanced)
    weights = compute_sample_weight("balanced", targets.classes) if targets.balanced else None
    if targets.kind == "scores":
        return _scores(inputs, values, strength, weights)
    rare, rest = _labels(inputs, values[:, :1], strength, targets.balanced), np.flatnonzero(values[:, 0] == 0)
    # As stage 2 of a trial, which never learns from a rare row.
    scores = _scores(inputs[rest], values[rest, 1:], strength, None if weights is None else weights[rest])
    return LinearHead(np.vstack([rare.weight, scores.weight]), np.concatenate([rare.bias, scores.bias]))


def _classes(inputs: Inputs, classes: IntArray, count: int, strength: float, balanced: bool) -> LinearHead:
    """Multinomial logistic regression; a class without a row is out of reach."""
    weight, bias = np.zeros((count, inputs.shape[1])), np.full(count, ABSENT_LOGIT)
    present = np.unique(classes)
    if len(present) == 1:
        bias[present] = 0.0
        return LinearHead(weight, bias)
    model = LogisticRegression(C=strength, class_weight="balanced" if balanced else None, max_iter=MOST_STEPS)
    with warnings.catch_warnings():
        # Without penalty to speak of, the last digits of the weights take long, and change nothing.
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(inputs, classes)
    if len(present) == 2:  # scikit-learn has one row for both
        weight[present], bias[present] = np.outer((-0.5, 0.5), model.coef_[0]), np.array((-0.5, 0.5)) * model.intercept_
    else:
        weight[present], bias[present] = model.coef_, model.intercept_
    return LinearHead(weight, bias)


def _scores(inputs: Inputs, scores: FloatArray, strength: float, weights: FloatArray | None) -> LinearHead:
    model = Ridge(alpha=1 / strength).fit(inputs, scores, sample_weight=weights)
    return LinearHead(model.coef_.reshape(scores.shape[1], -1), np.broadcast_to(model.intercept_, scores.shape[1:]))


def _labels(inputs: Inputs, labels: FloatArray, strength: float, balanced: bool) -> LinearHead:
    """A logistic regression for each label [n, labels], all in one product, which is many times faster than one by one.

    The objective is scikit-learn's, ½‖w‖² + C · Σ loss; a label that no row has, or every row, gets its share alone.
    """
    given = np.asarray(labels, dtype=np.float64)
    weights = _label_weights(given) if balanced else np.ones((2, given.shape[1]))
    row_weights = weights[0] + given * (weights[1] - weights[0])
    shape, scale = (inputs.shape[1], given.shape[1]), strength * len(given)

    def objective(flat: FloatArray) -> tuple[float, FloatArray]:
        weight, bias = flat[: shape[0] * shape[1]].reshape(shape), flat[shape[0] * shape[1] :]
        logits = inputs @ weight + bias
        loss = (row_weights * (np.logaddexp(0.0, logits) - given * logits)).sum() * strength
        slope = row_weights * (expit(logits) - given) * strength
        gradient = np.concatenate([(weight + inputs.T @ slope).ravel(), slope.sum(axis=0)])
        return (0.5 * float((weight**2).sum()) + float(loss)) / scale, gradient / scale

    start = np.concatenate([np.zeros(shape[0] * shape[1]), logit(np.asarray(given.mean(axis=0)))])
    found = minimize(objective, start, jac=True, method="L-BFGS-B", options={"maxiter": MOST_JOINT_STEPS, "gtol": 1e-6})
    weight, bias = found.x[: shape[0] * shape[1]].reshape(shape).T.copy(), found.x[shape[0] * shape[1] :].copy()
    constant = np.isin(given.sum(axis=0), (0, len(given)))
    weight[constant], bias[constant] = 0.0, start[shape[0] * shape[1] :][constant]
    return LinearHead(weight, bias)


def _label_weights(given: FloatArray) -> FloatArray:
    """Weight [2, labels] of the rows without and with each label: n / (2 · count)."""
    counts = np.stack([(1 - given).sum(axis=0), given.sum(axis=0)])
    return np.asarray(len(given) / (2 * np.maximum(counts, 1)))
