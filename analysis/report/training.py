"""What is followed from epoch to epoch."""

import math
from collections.abc import Callable, Sequence

from rarecall.analysis.runs.run import EpochRow

Figure = Callable[[EpochRow], float]


def training_loss(row: EpochRow) -> float:
    """As the rows are weighted."""
    return row.train_loss


def validation_loss(row: EpochRow) -> float:
    """Without weights; NaN where the ledger has none."""
    return row.validation_loss


def minority_recall(row: EpochRow) -> float:
    """Mean recall of the minority classes."""
    return row.metrics.get("minority_recall", math.nan)


def recall_of(name: str) -> Figure:
    """Recall of one class."""
    return lambda row: row.metrics.get(f"recall[{name}]", math.nan)


def usual(values: Sequence[float]) -> list[float]:
    """Without the few that a diverged trial reached, which would flatten all others: they end at the edge."""
    known = sorted(value for value in values if math.isfinite(value))
    middle = known[len(known) // 2]
    return [value for value in known if value <= 8 * middle or middle <= 0]
