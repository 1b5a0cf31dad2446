"""What a ledger says, as records: a run, its trials, their epochs and how each trial ended."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from rarecall.analysis.criteria.bands import Band, read_bands
from rarecall.analysis.criteria.criterion import Criterion, parse
from rarecall.analysis.metrics.evaluation import Confusion
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.baseline import BaselineRow
from rarecall.analysis.runs.confined import relative_path, trial_name, within
from rarecall.analysis.runs.rows import ledger_row, number, numbers
from rarecall.analysis.runs.screen import ScreenRow

# Where a trial's parameters come from: those of another one, which is trained again on all rows.
REFIT = "all rows: "
# At the end of the origin of a trial that has none.
PLAIN = "no mitigation"
# Or the screen, whose best head stands among the trials.
SCREEN = "screen"

EndStatus = Literal["completed", "stopped", "failed"]
# Of epochs whose checkpoint was deleted, in the run folder.
PREDICTIONS_FOLDER = "predictions"
TrialStatus = Literal["running", "completed", "stopped", "failed"]


@dataclass(frozen=True, slots=True)
class EpochRow:
    """One epoch of one trial.

    epoch: counted from 1. metrics: flat, as `analysis.metrics.evaluation.evaluate` names them, NaN where undefined.
    confusion: [classes][classes] counts, rows are the true class. seconds, peak_memory_mb: spent on the epoch.
    checkpoint, predictions: paths relative to the run folder. time: seconds since 1970. rule: the values that decide
    between labels, empty where they are the task's own. train_loss: as the rows are weighted; validation_loss: without
    weights, NaN where the ledger has none. train_metrics: of the training rows, by the outputs that they were trained
    on, so they lag behind the epoch's end; empty where the ledger has none. gpus: that all its workers held, 0 where
    the ledger has none. node: address of the machine that trained it, with its GPU; "" where the ledger has none.
    rows_seen: training rows that the trial had seen by its end, each counted once; 0 where the ledger does not tell.
    """

    trial: str
    epoch: int
    metrics: Mapping[str, float]
    confusion: Confusion | None
    train_loss: float
    seconds: float
    peak_memory_mb: float
    checkpoint: str | None
    predictions: str | None
    score: float
    time: float
    rule: tuple[float, ...] = ()
    validation_loss: float = math.nan
    train_metrics: Mapping[str, float] = field(default_factory=dict)
    gpus: float = 0.0
    node: str = ""
    rows_seen: int = 0

    def as_row(self) -> dict[str, Any]:
        """The row of the ledger."""
        return ledger_row("epoch", self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "EpochRow":
        """Read a ledger row.

        Raises:
            ValueError, TypeError, KeyError: a value of the wrong kind, or none where one is needed.
        """
        epoch = row["epoch"]
        if not isinstance(epoch, int) or epoch < 1:
            raise ValueError(f"the epoch must be a whole number from 1, got {epoch!r}")
        return cls(
            trial=trial_name(row["trial"]),
            epoch=epoch,
            metrics=numbers(row["metrics"]),
            confusion=row.get("confusion"),
            train_loss=number(row, "train_loss"),
            seconds=number(row, "seconds"),
            peak_memory_mb=number(row, "peak_memory_mb"),
            checkpoint=relative_path(row.get("checkpoint")),
            predictions=relative_path(row.get("predictions")),
            score=number(row, "score"),
            time=number(row, "time"),
            rule=tuple(row.get("rule") or ()),
            validation_loss=number(row, "validation_loss"),
            train_metrics=numbers(row.get("train_metrics") or {}),
            gpus=float(row.get("gpus") or 0.0),
            node=str(row.get("node") or ""),
            rows_seen=int(row.get("rows_seen") or 0),
        )


@dataclass(frozen=True, slots=True)
class EndRow:
    """How a trial ended. time: seconds since 1970."""

    trial: str
    status: EndStatus
    reason: str
    time: float

    def as_row(self) -> dict[str, Any]:
        """The row of the ledger."""
        return ledger_row("end", self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "EndRow":
        """Read a ledger row.

        Raises:
            ValueError, TypeError, KeyError: a value of the wrong kind, or none where one is needed.
        """
        if row["status"] not in get_args(EndStatus):
            raise ValueError(f"the status must be one of {', '.join(get_args(EndStatus))}, got {row['status']!r}")
        return cls(trial_name(row["trial"]), row["status"], str(row.get("reason") or ""), number(row, "time"))


@dataclass(frozen=True, slots=True)
class OpeningRow:
    """The test split, opened for one epoch of one trial by an export.

    metrics, confusion: as in `EpochRow`, of the test rows. predictions: of them, relative to the run folder. time:
    seconds since 1970.
    """

    trial: str
    epoch: int
    metrics: Mapping[str, float]
    confusion: Confusion | None
    predictions: str
    time: float

    def as_row(self) -> dict[str, Any]:
        """The row of the ledger."""
        return ledger_row("test", self)

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> "OpeningRow":
        """Read a ledger row.

        Raises:
            ValueError, TypeError, KeyError: a value of the wrong kind, or none where one is needed.
        """
        predictions = relative_path(row["predictions"])
        if predictions is None:
            raise ValueError("a test row must name its predictions, got none")
        metrics, confusion = numbers(row["metrics"]), row.get("confusion")
        return cls(trial_name(row["trial"]), int(row["epoch"]), metrics, confusion, predictions, number(row, "time"))


@dataclass
class TrialRecord:
    """All that the ledger says about one trial. params: by dotted path. epochs: ascending.

    mitigation: by class, rows, sampled rows and weight it trained with; empty where the ledger has none. origin: of the
    parameters: `own` (the experiment's settings), `known: …`, `sampler`, `screen`, or `all rows: …` with the trial that
    they are from; "" where the ledger does not tell.
    """

    trial: str
    params: dict[str, Any] = field(default_factory=dict)
    epochs: list[EpochRow] = field(default_factory=list)
    end: EndRow | None = None
    mitigation: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    origin: str = ""

    def as_row(self) -> dict[str, Any]:
        """The row of the ledger with which a trial begins."""
        row = {"trial": self.trial, "params": self.params, "mitigation": self.mitigation, "origin": self.origin}
        return {"kind": "trial", **row}

    @property
    def refit_of(self) -> str | None:
        """The trial whose settings this one trained on all rows, None for a trial of the search itself."""
        return self.origin.removeprefix(REFIT) if self.origin.startswith(REFIT) else None

    @property
    def unmitigated(self) -> bool:
        """Whether its settings hold no mitigation, which makes it a baseline as well."""
        return self.origin.endswith(PLAIN)

    @property
    def searched(self) -> bool:
        """Whether it is one of the trials that were asked for: no refit, and no head of the screen."""
        return self.refit_of is None and self.origin != SCREEN

    @property
    def seconds(self) -> float:
        """Time spent on all epochs."""
        return sum(epoch.seconds for epoch in self.epochs if math.isfinite(epoch.seconds))

    @property
    def status(self) -> TrialStatus:
        """How the trial ended; "running" when the ledger holds no end of it."""
        return self.end.status if self.end else "running"


@dataclass(frozen=True)
class Run:
    """One run folder as its ledger tells it.

    headers: the `run` rows as written, one per start or resume; the last one gives criteria, labels, objective
    and outcome bands.
    trials: by id, in the order in which they started. problems: what could not be read, each with file and line.
    live: whether the search was writing when the ledger was read. openings: of the test split, in their order.
    baselines: by name; none in ledgers that are older than they are, or without `search.baselines`. screen: None where
    there was none.
    """

    folder: Path
    headers: tuple[Mapping[str, Any], ...]
    trials: dict[str, TrialRecord]
    problems: list[str]
    criteria: tuple[Criterion, ...]
    labels: LabelSpace
    objective: str
    bands: tuple[Band, ...] = ()
    live: bool = False
    openings: tuple[OpeningRow, ...] = ()
    baselines: dict[str, BaselineRow] = field(default_factory=dict)
    screen: ScreenRow | None = None

    @property
    def header(self) -> Mapping[str, Any]:
        """The latest `run` row."""
        return self.headers[-1]

    @property
    def second_objective(self) -> str | None:
        """What the search weighed against the objective: a metric, `seconds`, or None for nothing."""
        second: str | None = self.header.get("second_objective")
        return second

    def resolve(self, path: str | os.PathLike[str]) -> Path:
        """The place of a checkpoint or predictions file that an epoch row names relative to the run folder.

        Raises:
            RunError: it leads out of the run folder, through a link for instance.
        """
        return within(self.folder, os.fspath(path))

    def predictions_path(self, path: str) -> Path:
        """The place of the predictions that an epoch row names: beside its checkpoint, or kept without that."""
        stored = self.resolve(path)
        kept = self.resolve(PREDICTIONS_FOLDER) / f"{Path(path).parent.name}{stored.suffix}"
        return kept if not stored.exists() and kept.exists() else stored


def header_criteria(header: Mapping[str, Any]) -> tuple[Criterion, ...]:
    """The criteria of a `run` row.

    Raises:
        ValueError: one that this version cannot read.
    """
    return tuple(parse(text, header_labels(header).minority) for text in header["criteria"])


def header_bands(header: Mapping[str, Any]) -> tuple[Band, ...]:
    """The outcome bands of a `run` row, none where it has none.

    Raises:
        ValueError: a criterion that this version cannot read.
    """
    return read_bands(header.get("bands") or {}, header_labels(header))


def header_labels(header: Mapping[str, Any]) -> LabelSpace:
    """The label space of a `run` row, written as `dataclasses.asdict` gives it."""
    return LabelSpace.from_plain(header["labels"])
