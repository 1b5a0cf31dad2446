"""Values of a search space as numbers from 0 to 1 and back."""

import math
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution


def from_unit(distribution: BaseDistribution, x: float) -> Any:
    """The value at x of 0 to 1; choices share the line in their order.

    >>> from_unit(FloatDistribution(1e-4, 1e-2, log=True), 0.5), from_unit(CategoricalDistribution([4, 8, 16]), 0.5)
    (0.001, 8)
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices[min(int(x * len(distribution.choices)), len(distribution.choices) - 1)]
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = _ends(distribution)
    value = low + x * (high - low)
    value = math.exp(value) if distribution.log else value
    return round(value) if isinstance(distribution, IntDistribution) else float(f"{value:.12g}")


def to_unit(distribution: BaseDistribution, value: Any) -> float:
    """Where a value lies between 0 and 1. Choices stand in their order, the first at 0 and the last at 1.

    >>> to_unit(FloatDistribution(1e-4, 1e-2, log=True), 1e-3), to_unit(CategoricalDistribution([4, 8, 16]), 8)
    (0.5, 0.5)
    """
    if isinstance(distribution, CategoricalDistribution):
        return distribution.choices.index(value) / max(len(distribution.choices) - 1, 1)
    assert isinstance(distribution, FloatDistribution | IntDistribution)
    low, high = _ends(distribution)
    return round(((math.log(value) if distribution.log else value) - low) / (high - low), 12)


def _ends(distribution: FloatDistribution | IntDistribution) -> tuple[float, float]:
    low, high = float(distribution.low), float(distribution.high)
    return (math.log(low), math.log(high)) if distribution.log else (low, high)
