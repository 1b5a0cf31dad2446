"""What a screen found, as a ledger has it: mitigations tried on heads over frozen features before the first trial."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rarecall.analysis.runs.rows import ledger_row, number, numbers


@dataclass(frozen=True, slots=True)
class ScreenedSettings:
    """Mitigations that did well. params: by dotted path. score: on held-out training rows, as trials are compared."""

    params: Mapping[str, Any]
    score: float


@dataclass(frozen=True, slots=True)
class ScreenRow:
    """One screen.

    configurations: that were tried. train_rows: that were used, a part of them to judge. seconds: in all. matters: by
    parameter, the share of the differences between heads that it explains alone, 0 to 1. best: the best ones, the best
    first. time: seconds since 1970.
    """

    configurations: int
    train_rows: int
    seconds: float
    matters: Mapping[str, float]
    best: tuple[ScreenedSettings, ...]
    time: float

    def as_row(self) -> dict[str, Any]:
        """The row of the ledger."""
        best = [{"params": dict(one.params), "score": one.score} for one in self.best]
        return {**ledger_row("screen", self), "best": best}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "ScreenRow":
        """Read a ledger row.

        Raises:
            ValueError, TypeError, KeyError: a value of the wrong kind, or none where one is needed.
        """
        return cls(
            configurations=int(row["configurations"]),
            train_rows=int(row["train_rows"]),
            seconds=number(row, "seconds"),
            matters=numbers(row["matters"]),
            best=tuple(ScreenedSettings(dict(one["params"]), number(one, "score")) for one in row["best"]),
            time=number(row, "time"),
        )
