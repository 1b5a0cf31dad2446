"""Baselines as a ledger has them: rows of their own kind, which never count as trials."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rarecall.analysis.metrics.evaluation import Confusion
from rarecall.analysis.runs.confined import relative_path, trial_name
from rarecall.analysis.runs.rows import ledger_row, number, numbers

# Before the names of all baselines, so that none is taken for a trial.
PREFIX = "baseline-"


@dataclass(frozen=True, slots=True)
class BaselineRow:
    """One baseline, judged on the rows that trials are judged on.

    title: what it is, in words. metrics, confusion, rule: as of an epoch of a trial. predictions: path relative to the
    run folder, None where they were not kept. train_rows: that it was fitted to. settings: what was chosen for it.
    seconds: of fitting and deciding. time: seconds since 1970. checkpoint: relative to the run folder, None for what no
    base model can take over. params: by dotted path, under which the experiment has its model.
    """

    baseline: str
    title: str
    metrics: Mapping[str, float]
    confusion: Confusion | None
    predictions: str | None
    train_rows: int
    seconds: float
    time: float
    rule: tuple[float, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    checkpoint: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)

    def as_row(self) -> dict[str, Any]:
        """The row of the ledger."""
        return ledger_row("baseline", self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "BaselineRow":
        """Read a ledger row.

        Raises:
            ValueError, TypeError, KeyError: a value of the wrong kind, or none where one is needed.
        """
        return cls(
            baseline=trial_name(row["baseline"]),
            title=str(row["title"]),
            metrics=numbers(row["metrics"]),
            confusion=row.get("confusion"),
            predictions=relative_path(row.get("predictions")),
            train_rows=int(row["train_rows"]),
            seconds=number(row, "seconds"),
            time=number(row, "time"),
            rule=tuple(row.get("rule") or ()),
            settings=dict(row.get("settings") or {}),
            checkpoint=relative_path(row.get("checkpoint")),
            params=dict(row.get("params") or {}),
        )
