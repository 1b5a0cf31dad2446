"""Verdicts as far as the rows carry them: met, missed or undecided, with interval and probability, and all together.

A criterion is met where the true value meets it with a probability of at least `level` (0.90), missed where that is at
most 1 - `level`, and undecided in between or where nothing was measured. Of predictions that were chosen for what they
measured, all but the measured value is about what fresh rows should give. docs/verdicts.md tells the rest.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.criteria.criterion import ANY, MINORITY, TOLERANCE, Criterion, Status, Verdict, split_key
from rarecall.analysis.criteria.judging import shortfalls
from rarecall.analysis.criteria.ranking import judge
from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.metrics.registry import is_whole_count
from rarecall.analysis.metrics.tally import Tally, tally
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.bootstrap import DRAWS, Draws, Slice, percentile, posterior
from rarecall.analysis.uncertainty.expected import Expected
from rarecall.analysis.uncertainty.intervals import LEVEL, Interval, exact, probability_at_least

UNKNOWN = Interval(math.nan, math.nan)
# Of a finding as JSON and tables have it.
FINDING_COLUMNS = (
    "criterion",
    "status",
    "value",
    "expected",
    "decided_by",
    "rows",
    "hits",
    "low",
    "high",
    "probability",
)


@dataclass(frozen=True, slots=True)
class Proportion:
    """A metric that is a count out of rows."""

    hits: int
    rows: int


@dataclass(frozen=True, slots=True)
class Finding:
    """What is known about one criterion.

    verdict: as measured, without regard to chance. status: with regard to it. proportion: for recall, precision and
    accuracy. rows: behind the value that decides. interval: of the true value there, NaN to NaN where nothing is known.
    probability: that the true value, or with a selector of several the true values, meet the criterion; NaN as well,
    and for whole counts. expected: what fresh rows should give, the measured value where nothing was chosen by it.
    """

    verdict: Verdict
    status: Status
    rows: int
    proportion: Proportion | None
    interval: Interval
    probability: float
    expected: float = math.nan

    @property
    def criterion(self) -> Criterion:
        return self.verdict.criterion

    def plain(self) -> dict[str, Any]:
        """What is found as JSON has it."""
        values = (
            self.criterion.text,
            self.status,
            self.verdict.value,
            self.expected,
            self.verdict.key,
            self.rows,
            self.proportion.hits if self.proportion else None,
            self.interval.low,
            self.interval.high,
            self.probability,
        )
        return dict(zip(FINDING_COLUMNS, values, strict=True))


@dataclass(frozen=True)
class Assessment:
    """All criteria held against one set of predictions.

    joint: probability that the true values meet all criteria at once, from one bootstrap over the rows; 1 without
    criteria, NaN where one of them cannot be known. correction: how the choice among trials was taken into account, ""
    where there was none.
    """

    findings: tuple[Finding, ...]
    joint: float
    level: float
    correction: str = ""

    def plain(self) -> dict[str, Any]:
        """Level, joint probability, correction and findings as JSON has them."""
        findings = [finding.plain() for finding in self.findings]
        return {"level": self.level, "joint": self.joint, "correction": self.correction, "findings": findings}


def assess(
    predictions: Predictions,
    labels: LabelSpace,
    criteria: Sequence[Criterion],
    level: float = LEVEL,
    draws: int = DRAWS,
    seed: int = 0,
    expected: Mapping[str, Expected] | None = None,
    correction: str = "",
) -> Assessment:
    """Hold criteria against predictions, with what the number of rows leaves open.

    expected: by metric key, what fresh rows should give of predictions that were chosen for what they measured; None
    where they were not. correction: how that was found, in words.

    Raises:
        ValueError: a level outside 0.5..1, or predictions that do not fit the labels.
    """
    if not 0.5 <= level < 1:
        raise ValueError(f"the level of a verdict must be at least 0.5 and below 1, got {level} (0.9 is usual)")
    names, slices = metric_names(criteria), slices_of(criteria, predictions)
    drawn = posterior(predictions, labels, names, slices, draws, seed) if criteria else {}
    expected = {key: figure for key, figure in (expected or {}).items() if figure.corrected}
    drawn |= {key: moved(drawn[key], figure, key) for key, figure in expected.items() if key in drawn}
    held = [_held(criterion, drawn) for criterion in criteria]
    view = _View(predictions, labels, drawn, level, expected)
    verdicts = judge(evaluate(predictions, labels, names), criteria)
    findings = tuple(view.finding(verdict, met) for verdict, met in zip(verdicts, held, strict=True))
    return Assessment(findings, _joint(findings, held), level, correction)


def status_of(probability: float, level: float) -> Status:
    """Met from `level` on, missed up to 1 - `level`, undecided in between and for NaN.

    >>> status_of(0.95, 0.9), status_of(0.5, 0.9), status_of(0.1, 0.9)
    ('met', 'undecided', 'missed')
    """
    if probability >= level - TOLERANCE:
        return "met"
    return "missed" if probability <= 1 - level + TOLERANCE else "undecided"


def proportion(key: str, counted: Tally) -> Proportion | None:
    """The count behind a key (without its part of the data) that is a recall, a precision or the accuracy."""
    name, selector, _ = split_key(key)
    if name == "accuracy":
        return Proportion(int(counted.exact), counted.rows)
    if name not in ("recall", "precision") or selector not in counted.labels.classes:
        return None
    index = counted.labels.classes.index(selector)
    rows = counted.support if name == "recall" else counted.predicted
    return Proportion(round(counted.hits[index]), round(rows[index]))


class _View:
    """Predictions with the draws made from them."""

    def __init__(
        self,
        predictions: Predictions,
        labels: LabelSpace,
        drawn: Draws,
        level: float,
        expected: Mapping[str, Expected],
    ) -> None:
        self._predictions, self._labels, self._drawn, self._level = predictions, labels, drawn, level
        self._expected = expected
        self._tallies: dict[str, Tally] = {}

    def finding(self, verdict: Verdict, held: FloatArray) -> Finding:
        """held: [draws] whether the criterion is met, NaN where it is not defined."""
        if not verdict.key:
            return Finding(verdict, "undecided", 0, None, UNKNOWN, math.nan)
        counted = self._tally(verdict.criterion.part)
        share = proportion(verdict.key, counted)
        figure = self._expected.get(verdict.key)
        rows = share.rows if share else 0
        # As many hits as the expected share of these rows is, no whole number then.
        hits = figure.value * rows if figure else share.hits if share else 0
        probability = _probability(verdict.criterion, hits, rows, held)
        return Finding(
            verdict,
            self._status(verdict, probability),
            rows if share else _rows(verdict.key, counted),
            share,
            exact(hits, rows, self._level) if share else self._interval(verdict, counted),
            probability,
            figure.value if figure else verdict.value,
        )

    def _status(self, verdict: Verdict, probability: float) -> Status:
        """Whole counts are met or missed as counted: how many of fresh rows would be, is told by their interval."""
        if verdict.status == "undecided" or is_whole_count(verdict.criterion.metric):
            return verdict.status
        return status_of(probability, self._level)

    def _interval(self, verdict: Verdict, counted: Tally) -> Interval:
        if is_whole_count(verdict.criterion.metric):
            return _of_count(verdict, counted, self._level)
        return percentile(widened(self._drawn[verdict.key], self._expected.get(verdict.key), verdict.key), self._level)

    def _tally(self, part: str) -> Tally:
        if part not in self._tallies:
            column, _, value = part.partition("=")
            rows = self._predictions.take(self._predictions.slices[column] == value) if part else self._predictions
            self._tallies[part] = tally(rows, self._labels)
        return self._tallies[part]


def _of_count(verdict: Verdict, counted: Tally, level: float) -> Interval:
    """How many to expect among as many fresh rows; the size of a class is no matter of chance here."""
    if verdict.criterion.metric == "support" or not counted.rows:
        return UNKNOWN
    share = exact(verdict.value, counted.rows, level)
    return Interval(share.low * counted.rows, share.high * counted.rows)


def _rows(key: str, counted: Tally) -> int:
    """Rows behind a key: those of its class or of the minority classes, otherwise all."""
    name, selector, _ = split_key(key)
    classes = counted.labels.classes
    if name.startswith("minority_"):
        return round(float(counted.support[counted.minority].sum()))
    metric = metric_registry.find(name)
    # A dimension may bear the name of a tier, and has all rows.
    by_class = metric is not None and metric.selector == "class" and selector in classes
    return round(counted.support[classes.index(str(selector))]) if by_class else counted.rows


def moved(drawn: FloatArray, figure: Expected, key: str) -> FloatArray:
    """Draws of a true value [draws] moved to what is expected; shares stay shares."""
    return _within(drawn + (figure.value - figure.measured), drawn, key)


def widened(drawn: FloatArray, figure: Expected | None, key: str) -> FloatArray:
    """Draws [draws] about their mean, as far apart as a choice makes them; shares stay shares.

    For intervals alone: probabilities that criteria are met would become too low, which they are already with few rows
    (`benchmarks/honest_winner.py`).
    """
    known = drawn[np.isfinite(drawn)]
    if figure is None or not len(known):
        return drawn
    return _within(known.mean() + figure.wider * (drawn - known.mean()), drawn, key)


def _within(values: FloatArray, drawn: FloatArray, key: str) -> FloatArray:
    """Not beyond what the metric can be; `drawn` tells whether it can be negative."""
    metric = metric_registry.find(split_key(key)[0])
    lowest = 0.0 if (drawn >= 0).any() and not (drawn < 0).any() else -np.inf
    highest = 1.0 if metric is not None and metric.scale == "share" else np.inf
    return np.clip(values, lowest, highest)


def _probability(criterion: Criterion, hits: float, rows: int, held: FloatArray) -> float:
    """hits, rows: of a proportion, 0 and 0 for what is none."""
    if is_whole_count(criterion.metric):
        return math.nan
    if rows and criterion.names_one and criterion.op != "==":
        above = probability_at_least(hits, rows, criterion.threshold)
        return above if criterion.op in (">=", ">") else 1 - above
    return float(np.nanmean(held)) if np.isfinite(held).any() else math.nan


def _joint(findings: Sequence[Finding], held: Sequence[FloatArray]) -> float:
    told = [finding.probability for finding in findings if not is_whole_count(finding.criterion.metric)]
    if any(math.isnan(one) for one in told) or any(not np.isfinite(met).any() for met in held):
        return math.nan
    together = float(np.nanmean(np.prod(held, axis=0))) if held else 1.0
    # Never above the least probable criterion, which may have been computed without draws.
    return min([together, *told])


def _held(criterion: Criterion, drawn: Draws) -> FloatArray:
    """Whether each draw meets the criterion, [draws] of 0, 1 and NaN where it is not defined."""
    columns = [drawn[key] for key in criterion.keys(drawn) if key in drawn]
    if not columns:
        return np.array([math.nan])
    values = np.array(columns)
    met = shortfalls(criterion, values) <= 0
    known = np.isfinite(values)
    decided = (met & known).any(axis=0) if criterion.selector == ANY else (met | ~known).all(axis=0)
    return np.where(known.any(axis=0), decided, math.nan)


def metric_names(criteria: Sequence[Criterion]) -> set[str]:
    """Bare names of all metrics that criteria may stand for."""
    means = {f"minority_{criterion.metric}" for criterion in criteria if criterion.selector == MINORITY}
    known = {name for name in means if metric_registry.find(name)}
    return known | {criterion.metric for criterion in criteria}


def slices_of(criteria: Sequence[Criterion], predictions: Predictions) -> list[Slice]:
    """The parts of the data that criteria are about, those that the predictions have."""
    parts = dict.fromkeys(criterion.part for criterion in criteria if criterion.part)
    pairs = ((column, value) for column, _, value in (part.partition("=") for part in parts))
    return [(column, value) for column, value in pairs if value in predictions.slices.get(column, ())]
