"""All that rarecall uses of Optuna and that Optuna does not promise to keep."""

from typing import Any

from optuna.distributions import BaseDistribution


def contains(distribution: BaseDistribution, value: Any) -> bool:
    """Whether a distribution could have given `value`.

    >>> from optuna.distributions import CategoricalDistribution, FloatDistribution
    >>> contains(FloatDistribution(0.1, 1.0), 0.5), contains(CategoricalDistribution((8, 16)), 4)
    (True, False)
    """
    try:
        return value is not None and bool(distribution._contains(distribution.to_internal_repr(value)))
    except (ValueError, TypeError):
        return False
