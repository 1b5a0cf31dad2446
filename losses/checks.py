"""What losses ask of their parameters and of the shapes they are given."""

import math

from torch import Tensor


def require_at_least_0(**parameters: float) -> None:
    """Raise a ValueError for a parameter that is negative, infinite or nan."""
    for name, value in parameters.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {value!r}")


def require_above_0(**parameters: float) -> None:
    """Raise a ValueError for a parameter that is 0, negative, infinite or nan."""
    for name, value in parameters.items():
        if not 0 < value < math.inf:
            raise ValueError(f"{name} must be finite and above 0, got {value!r}")


def require_below_1(**parameters: float) -> None:
    """Raise a ValueError for a parameter that is not from 0 up to, but without, 1."""
    for name, value in parameters.items():
        if not 0 <= value < 1:
            raise ValueError(f"{name} must be at least 0 and below 1, got {value!r}")


def require_index_targets(outputs: Tensor, targets: Tensor, columns: str) -> None:
    """Raise a ValueError unless outputs are [batch, columns] and targets [batch]."""
    if outputs.ndim != 2 or targets.shape != outputs.shape[:1]:
        raise ValueError(f"outputs must be [batch, {columns}] and targets [batch], {_got(outputs, targets)}")


def require_same_shape(outputs: Tensor, targets: Tensor, columns: str) -> None:
    """Raise a ValueError unless both are [batch, columns]; [batch] and [batch, 1] would broadcast in silence."""
    if outputs.ndim != 2 or targets.shape != outputs.shape:
        raise ValueError(f"outputs and targets must both be [batch, {columns}], {_got(outputs, targets)}")


def require_token_targets(outputs: Tensor, targets: Tensor) -> None:
    """Raise a ValueError unless outputs are [batch, tokens, vocabulary] and targets [batch, tokens]."""
    if outputs.ndim != 3 or targets.shape != outputs.shape[:2]:
        raise ValueError(
            f"outputs must be [batch, tokens, vocabulary] and targets [batch, tokens], {_got(outputs, targets)}"
        )


def require_columns(outputs: Tensor, known: int) -> None:
    """Raise a ValueError unless a loss that knows the facts of `known` labels gets as many columns."""
    if outputs.shape[1] != known:
        raise ValueError(
            f"outputs must have one column for each of the {known} labels that the loss was told of, "
            f"got {list(outputs.shape)}"
        )


def _got(outputs: Tensor, targets: Tensor) -> str:
    return f"got {list(outputs.shape)} and {list(targets.shape)}"
