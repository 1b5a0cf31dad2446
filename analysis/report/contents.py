"""What a report is about: a run with its winner, or a set of predictions alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.criterion import EVERY, Criterion, split_key
from rarecall.analysis.errors import RunError
from rarecall.analysis.evaluation.evaluation import Evaluation, evaluated
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.opened import Opened, read_opened
from rarecall.analysis.runs.ranking.expectations import expectations
from rarecall.analysis.runs.ranking.finalists import Finalist, finalists
from rarecall.analysis.runs.ranking.leaderboard import winner
from rarecall.analysis.runs.ranking.standings import Standing, standings
from rarecall.analysis.runs.run import Run, TrialRecord
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval, exact

Texts = Mapping[int, str]


@dataclass(frozen=True)
class Report:
    """Everything that the sections are made from.

    ranked: the trials, the best first; empty without a run. chosen: the trial that the report is about: the winner, or
    the first one with an epoch where none can be exported; None without a run or without an epoch. predictions,
    evaluation: of it; None where they cannot be read. texts: by row number, empty unless asked for. problems: what
    could not be read. finalists: those that were trained again, the winner first. opened: what the test split said of
    the chosen trial, None where no export has opened it.
    """

    title: str
    labels: LabelSpace
    criteria: tuple[Criterion, ...]
    level: float = LEVEL
    run: Run | None = None
    ranked: Sequence[Standing] = ()
    chosen: Standing | None = None
    predictions: Predictions | None = None
    evaluation: Evaluation | None = None
    texts: Texts = field(default_factory=dict)
    finalists: tuple[Finalist, ...] = ()
    problems: tuple[str, ...] = ()
    opened: Opened | None = None

    @property
    def metrics(self) -> Mapping[str, float]:
        """Metrics of the predictions, or as the ledger tells them."""
        if self.evaluation:
            return self.evaluation.metrics
        return self.chosen.best.metrics if self.chosen and self.chosen.best else {}

    @property
    def confusion(self) -> IntArray | None:
        """[classes, classes], or [classes, 2, 2], as `analysis.metrics.evaluation.confusion_matrix` has it."""
        if self.evaluation:
            return np.array(self.evaluation.confusion, dtype=np.int64)
        counts = self.chosen.best.confusion if self.chosen and self.chosen.best else None
        return None if counts is None else np.array(counts, dtype=np.int64)

    @property
    def intervals(self) -> Mapping[str, Interval]:
        """Intervals by the key of a metric; without predictions only those that the confusion matrix gives."""
        return self.evaluation.intervals if self.evaluation else _counted(self)

    @property
    def rarest(self) -> list[str]:
        """The minority classes, the rarest first."""
        return sorted(self.labels.minority, key=lambda name: self.metrics.get(f"support[{name}]", 0.0))

    def limit(self, key: str) -> Criterion | None:
        """The criterion about one class or dimension by the key of its metric, or else the one about each of them."""
        by_key = {f"{one.metric}[{one.selector}]": one for one in self.criteria if one.selector and not one.part}
        return by_key.get(key, by_key.get(f"{split_key(key)[0]}[{EVERY}]"))


def of_run(run: Run, texts: Texts | None = None, level: float = LEVEL) -> Report:
    """The report of a run and its winner; without stored predictions it is made from the ledger alone."""
    ranked = standings(run)
    finals, problem = _finalists(run)
    chosen = _chosen(ranked, winner(run) if not problem else None)
    evidence = Evidence(run, level)
    predictions = evidence.predictions(chosen.best) if chosen and chosen.best else None
    tested, unread = _opened(run, chosen, level)
    name = str(run.header.get("name", run.folder.name))
    return Report(
        name,
        run.labels,
        run.criteria,
        level,
        run,
        ranked,
        chosen,
        predictions,
        None if predictions is None else _evaluated(name, predictions, run, chosen, level),
        texts or {},
        finals,
        (*run.problems, *problem, *evidence.problems, *unread),
        tested,
    )


def of_predictions(
    name: str, predictions: Predictions, labels: LabelSpace, criteria: Sequence[Criterion], level: float = LEVEL
) -> Report:
    """The report of predictions, whoever made them.

    Raises:
        ValueError: predictions that do not fit the labels.
    """
    evaluation = evaluated(name, predictions, labels, criteria, level)
    return Report(name, labels, tuple(criteria), level, predictions=predictions, evaluation=evaluation)


def _evaluated(name: str, predictions: Predictions, run: Run, chosen: Standing | None, level: float) -> Evaluation:
    """What the predictions of the winner are worth; verdicts are about what fresh rows should give."""
    trial = chosen.record.trial if chosen else ""
    found = expectations(run, also=[trial])
    return evaluated(
        name, predictions, run.labels, run.criteria, level, expected=found.of(trial), correction=found.method
    )


def _finalists(run: Run) -> tuple[tuple[Finalist, ...], list[str]]:
    """The finalists, or what keeps them from being read."""
    try:
        return finalists(run), []
    except RunError as error:
        return (), [str(error)]


def _opened(run: Run, chosen: Standing | None, level: float) -> tuple[Opened | None, list[str]]:
    """What the test split said of the chosen trial, or what keeps that from being read."""
    try:
        return read_opened(run, chosen.best if chosen else None, level), []
    except RunError as error:
        return None, [str(error)]


def _chosen(ranked: Sequence[Standing], best: TrialRecord | None) -> Standing | None:
    """The standing of the winner; without one the first that may be it, or that has an epoch."""
    if best is not None:
        return next(one for one in ranked if one.record is best)
    first = next((one for one in ranked if one.may_win), None) or next((one for one in ranked if one.exportable), None)
    return first or next((one for one in ranked if one.best), None)


def _counted(report: Report) -> dict[str, Interval]:
    counts = report.confusion
    if counts is None:
        return {}
    by_label = report.labels.multilabel
    hits = counts[:, 1, 1] if by_label else counts.diagonal()
    rows = {
        "recall": counts[:, 1, :].sum(axis=1) if by_label else counts.sum(axis=1),
        "precision": counts[:, :, 1].sum(axis=1) if by_label else counts.sum(axis=0),
    }
    return {
        f"{metric}[{name}]": exact(int(hits[index]), int(rows[metric][index]), report.level)
        for metric in rows
        for index, name in enumerate(report.labels.classes)
    }
