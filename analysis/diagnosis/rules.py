"""Warnings: what a rule looks at, what it says, and the registry of the rules.

A rule is a function with `@rule(name, …)` above it, in one of the modules `…_rules` beside this one. It looks at a
case and gives what it observed, or None where it has nothing to say.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.metrics.evaluation import Confusion
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ranking.standings import Standing, standings
from rarecall.analysis.runs.run import EpochRow, Run, TrialRecord

About = Literal["trial", "run"]


@dataclass(frozen=True)
class Change:
    """One setting of the experiment file, by dotted key, with its value now and the value to try."""

    key: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Observed:
    """What a rule found. evidence: figures, one line each. changes: settings. advice: what no setting can do."""

    evidence: tuple[str, ...]
    changes: tuple[Change, ...] = ()
    advice: tuple[str, ...] = ()


@dataclass(frozen=True)
class DiagnosedWarning:
    """A rule that applies. figure: the metric, or loss, that following it should improve, "" for none."""

    rule: str
    says: str
    source: str
    figure: str
    observed: Observed

    def plain(self) -> dict[str, Any]:
        """The warning as JSON has it."""
        return {
            "rule": self.rule,
            "says": self.says,
            "source": self.source,
            "figure": self.figure,
            "evidence": list(self.observed.evidence),
            "changes": [vars(change) for change in self.observed.changes],
            "advice": list(self.observed.advice),
        }


@dataclass(frozen=True)
class Case:
    """What the rules look at: a trial with its best epoch, the settings it ran with, and its run.

    best: None for a trial without an epoch. settings: by dotted key, defaults included; empty values where unknown.
    space: by dotted key, `low`, `high` and `log`, or `choices`. of_run: whether the run itself was asked about.
    """

    run: Run
    record: TrialRecord
    best: EpochRow | None
    settings: Mapping[str, Any] = field(default_factory=dict)
    space: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    of_run: bool = False

    @property
    def labels(self) -> LabelSpace:
        return self.run.labels

    @property
    def epochs(self) -> list[EpochRow]:
        return self.record.epochs

    @cached_property
    def predictions(self) -> Predictions | None:
        """The stored predictions of the best epoch, None without any that can be read."""
        return Evidence(self.run).predictions(self.best) if self.best else None

    @cached_property
    def ranked(self) -> list[Standing]:
        """All trials of the run, the best first."""
        return standings(self.run)

    @cached_property
    def predicted(self) -> IntArray | None:
        """How many validation rows were predicted as each class [classes], None where that is not known."""
        confusion = self.best.confusion if self.best else None
        return _columns(confusion, multilabel=self.labels.multilabel) if confusion else None

    @property
    def most_predicted(self) -> str | None:
        """The one class that every row was predicted as; "" for labels of which none was predicted; else None."""
        counts = self.predicted
        if counts is None or self.labels.multilabel:
            return "" if counts is not None and not counts.any() else None
        return self.labels.classes[int(counts.argmax())] if np.count_nonzero(counts) == 1 else None

    def metric(self, key: str) -> float:
        """A metric of the best epoch, NaN where there is none."""
        return self.best.metrics.get(key, float("nan")) if self.best else float("nan")

    def by_class(self, metric: str) -> dict[str, float]:
        """A metric of each minority class that has validation rows."""
        return {name: self.metric(f"{metric}[{name}]") for name in self.labels.minority if self.rows(name) > 0}

    def rows(self, name: str) -> int:
        """Validation rows of a class."""
        support = self.metric(f"support[{name}]")
        return int(support) if support == support else 0

    def train_rows(self) -> dict[str, int]:
        """Training rows by class, as the run's header tells."""
        counts: Mapping[str, Mapping[str, int]] = self.run.header.get("class_counts") or {}
        return dict(counts.get("train") or {})

    def number(self, key: str) -> float:
        """A setting that is a number, NaN where it is unknown or not set."""
        value = self.settings.get(key)
        return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else float("nan")

    def change(self, key: str, after: Any) -> tuple[Change, ...]:
        """The change of a setting that the experiment has, none where it has that value already."""
        if key not in self.settings or self.settings[key] == after:
            return ()
        return (Change(key, self.settings[key], after),)


Check = Callable[[Case], Observed | None]


@dataclass(frozen=True)
class Rule:
    """A registered rule."""

    name: str
    says: str
    source: str
    figure: str
    about: About
    check: Check

    def warning(self, case: Case) -> DiagnosedWarning | None:
        """The warning, where the rule applies."""
        observed = self.check(case)
        return DiagnosedWarning(self.name, self.says, self.source, self.figure, observed) if observed else None


_RULES: dict[str, Rule] = {}


def rule(name: str, says: str, source: str, *, figure: str = "", about: About = "trial") -> Callable[[Check], Check]:
    """Register the decorated function as a rule.

    says: the cause, as a sentence. source: its source. figure: what following it should improve.

    Raises:
        ValueError: a rule of this name exists.
    """
    if name in _RULES:
        raise ValueError(f"a rule is registered once, got {name!r} again (choose another name)")

    def add(check: Check) -> Check:
        _RULES[name] = Rule(name, says, source, figure, about, check)
        return check

    return add


def registered() -> tuple[Rule, ...]:
    """All rules in the order of their registration, in which warnings are told."""
    return tuple(_RULES.values())


def _columns(confusion: Confusion, *, multilabel: bool) -> IntArray:
    counts = np.array(confusion, dtype=np.int64)
    return np.asarray(counts[:, :, 1].sum(axis=1) if multilabel else counts.sum(axis=0))
