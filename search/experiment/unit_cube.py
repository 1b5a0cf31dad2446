"""Values of a search space as numbers from 0 to 1 and back."""

import math
from collections.abc import Mapping
from typing import Any

from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from scipy.stats import qmc

from rarecall.search.experiment.space import Condition


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


def sobol_sample(
    space: Mapping[str, BaseDistribution], conditions: Mapping[str, Condition], count: int, seed: int = 0
) -> list[dict[str, Any]]:
    """A scrambled Sobol sample of a space (Owen 1998), which covers it more evenly than independent draws.

    conditions: when a parameter exists; where it does not, it is left out.
    """
    points = qmc.Sobol(max(1, len(space)), seed=seed).random_base2(math.ceil(math.log2(count)))[:count]
    return [_existing(_values(space, point), conditions) for point in points]


def _values(space: Mapping[str, BaseDistribution], point: Any) -> dict[str, Any]:
    return {key: from_unit(distribution, float(x)) for (key, distribution), x in zip(space.items(), point, strict=True)}


def _existing(values: Mapping[str, Any], conditions: Mapping[str, Condition]) -> dict[str, Any]:
    return {
        key: value
        for key, value in values.items()
        if all(values.get(parent) in allowed for parent, allowed in conditions.get(key, {}).items())
    }
