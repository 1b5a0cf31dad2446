"""Class weights: how much more a row of a rare class, or a rare label, counts.

Calling a scheme (`trainables.imbalance.schemes`) with the rows [k] of the classes that have any gives their weights
[k].
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray
from rarecall.trainables.imbalance.schemes import Scheme, register


@register("none")
@dataclass(frozen=True)
class Alike:
    """1 for every class."""

    def __call__(self, counts: FloatArray) -> FloatArray:
        return np.ones(len(counts))


@register("power")
@dataclass(frozen=True)
class Power:
    """(n_max / n_c) ** strength: 0 weighs all alike, 1 by the inverse frequency, and a search goes between them.

    √(1519 / 303) = √5.01320 = 2.23902:

    >>> Power(strength=0.5)(np.array([1519.0, 303.0])).round(5)
    array([1.     , 2.23902])
    """

    strength: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.strength <= 1:
            raise ValueError(f"the class weights' strength must be from 0 to 1, got {self.strength!r}")

    def __call__(self, counts: FloatArray) -> FloatArray:
        return np.asarray((counts.max() / counts) ** self.strength)


@register("inverse")
@dataclass(frozen=True)
class Inverse:
    """n_max / n_c: the inverse frequency, with 1 for the largest class.

    >>> Inverse()(np.array([1519.0, 303.0])).round(5)
    array([1.    , 5.0132])
    """

    def __call__(self, counts: FloatArray) -> FloatArray:
        return np.asarray(counts.max() / counts)


@register("balanced")
@dataclass(frozen=True)
class Balanced:
    """n / (k · n_c), k being the classes that have rows: scikit-learn's “balanced”, after King & Zeng 2001.

    Of 90 and 10 rows, 100 / (2 · 90) = 0.5556 and 100 / (2 · 10) = 5:

    >>> Balanced()(np.array([90.0, 10.0])).round(4)
    array([0.5556, 5.    ])
    """

    def __call__(self, counts: FloatArray) -> FloatArray:
        return np.asarray(counts.sum() / (len(counts) * counts))


@register("effective_number")
@dataclass(frozen=True)
class EffectiveNumber:
    """(1 - β) / (1 - β^n_c), one over the effective number of rows (Cui et al. 2019, arXiv 1901.05555, equation 4).

    Scaled, as theirs, to a mean of 1 over the classes, here over those that have rows. β 0 weighs all alike; towards 1
    it comes to the inverse frequency.

    β = 0.5 and 1 and 2 rows: 0.5 / 0.5 = 1 and 0.5 / 0.75 = 2/3, divided by their mean 5/6:

    >>> EffectiveNumber(beta=0.5)(np.array([1.0, 2.0])).round(4)
    array([1.2, 0.8])
    """

    beta: float = 0.999

    def __post_init__(self) -> None:
        if not 0 <= self.beta < 1:
            raise ValueError(f"the class weights' beta must be at least 0 and below 1, got {self.beta!r}")

    def __call__(self, counts: FloatArray) -> FloatArray:
        weights = (1 - self.beta) / (1 - self.beta**counts)
        return np.asarray(weights / weights.mean())


@dataclass(frozen=True)
class Weights:
    """Weight of each class or label [k], and whether the scheme wanted more than the cap [k]."""

    values: FloatArray
    capped: BoolArray


def class_weights(
    counts: FloatArray, scheme: Scheme, cap: float, by_name: Mapping[int, float] | None = None
) -> Weights:
    """Row weight of each class [k], from the rows [k] that an epoch holds of it.

    A class without rows weighs 1. What the scheme gives is never above the cap, which keeps training stable where a
    class has only a few rows. by_name: weights by class index that take the place of the computed ones; they are the
    user's word, and not capped.

    1519 / 303 = 5.0132, and 1519 / 26 = 58.4 is capped:

    >>> class_weights(np.array([1519.0, 303.0, 26.0]), Inverse(), cap=10.0)
    Weights(values=array([ 1.        ,  5.01320132, 10.        ]), capped=array([False, False,  True]))

    Raises:
        ValueError: the cap is below 1, or a count negative.
    """
    _require_counts(counts)
    wanted = np.ones(len(counts))
    present = counts > 0
    if present.any():
        wanted[present] = scheme(counts[present])
    return _capped(wanted, cap, by_name or {})


def label_weights(
    positives: FloatArray, rows: float, scheme: Scheme, cap: float, by_name: Mapping[int, float] | None = None
) -> Weights:
    """Weight of the positive term of each label [k] (torch's pos_weight), from the rows [k] that have it, of `rows`.

    Each label is two classes, the rows without it and those with it, and its weight is the ratio of what the scheme
    gives to them: n_neg / n_pos for `inverse` and `balanced`, (n_neg / n_pos) ** strength for `power`. Cap and by_name
    as in `class_weights`. A label that no row has, or that all have, weighs 1.

    1 and 20 of 101 rows: 100 / 1 is capped, 81 / 20 = 4.05:

    >>> label_weights(np.array([1.0, 20.0]), rows=101, scheme=Inverse(), cap=10.0)
    Weights(values=array([10.  ,  4.05]), capped=array([ True, False]))

    Raises:
        ValueError: the cap is below 1, or a count negative or above `rows`.
    """
    _require_counts(positives)
    _require_counts(rows - positives)
    wanted = np.array([_pair_ratio(scheme, rows - count, count) for count in positives])
    return _capped(wanted, cap, by_name or {})


def _pair_ratio(scheme: Scheme, negatives: float, positives: float) -> float:
    if negatives == 0 or positives == 0:
        return 1.0
    of_negatives, of_positives = scheme(np.array([negatives, positives], dtype=np.float64))
    return float(of_positives / of_negatives)


def _capped(wanted: FloatArray, cap: float, by_name: Mapping[int, float]) -> Weights:
    values, capped = cap_weights(wanted, cap)
    for index, weight in by_name.items():
        values[index], capped[index] = weight, False
    return Weights(values, capped)


def cap_weights(wanted: FloatArray, cap: float) -> tuple[FloatArray, BoolArray]:
    """The weights [n], none above the cap, and which of them it lowered [n]."""
    if not cap >= 1:
        raise ValueError(f"the class weights' cap must be at least 1, got {cap!r}")
    return np.minimum(wanted, cap).astype(np.float64), wanted > cap


def _require_counts(counts: FloatArray) -> None:
    if (counts < 0).any():
        raise ValueError(f"counts must not be negative, got {counts.tolist()}")
