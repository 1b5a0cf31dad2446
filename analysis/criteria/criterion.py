"""Success criteria as data: `metric[class-or-dimension] op number`, parsed once, judged against any metrics.

The same criteria constrain the search, order the leaderboard, fill the report and gate the export.
"""

import difflib
import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, cast

from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.metrics.registry import Metric
from rarecall.analysis.predictions.label_space import LabelSpace

Operator = Literal[">=", ">", "<=", "<", "=="]
Status = Literal["met", "missed", "undecided"]

EVERY = "*"
MINORITY = "minority"
# At least one of the minority classes, and each of them.
ANY, ALL = "any", "all"
# Differences below this are rounding; a strict comparison missed by equality counts as this much.
TOLERANCE = 1e-9

# A second objective that is no metric: what a trial's epochs took.
SECONDS = "seconds"

_GRAMMAR = re.compile(r"(\w+)\s*(?:\[(.*)\])?\s*(?:@\s*([^\s\[\]]+=[^<>]*?))?\s*(>=|<=|==|>|<)\s*([^\s=<>]+)")
# What the expression does with a text of which it finds no criterion grows with the square of its length.
LONGEST = 1000
_FORM = "a criterion must read `metric[class-or-dimension] op number` with op one of >= > <= < =="


@dataclass(frozen=True, slots=True)
class Criterion:
    """One line that a trial has to fulfil.

    selector: a class, a dimension, a group, `*` (each of them), `minority` (the mean over the minority classes), `any`
    or `all` (at least one or each of the minority classes). part: `column=value` of the part of the data that counts,
    "" for all of it. minority: the minority classes, which `any` and `all` stand for.
    """

    metric: str
    selector: str | None
    op: Operator
    threshold: float
    text: str
    part: str = ""
    minority: tuple[str, ...] = ()

    @property
    def names_one(self) -> bool:
        """Whether the criterion speaks about a single value."""
        return self.selector not in (EVERY, ANY, ALL)

    def keys(self, available: Collection[str]) -> tuple[str, ...]:
        """The keys of the flat metrics that the criterion is about, out of those available.

        Raises:
            ValueError: `any` or `all` in a criterion that was parsed without the minority classes.
        """
        own = keys(self.metric, self.selector, available, self.part)
        if self.selector not in (ANY, ALL) or own[0] in available:
            return own
        if not self.minority:
            raise ValueError(f"{self.selector} needs the minority classes, got none when {self.text!r} was parsed")
        return tuple(keys(self.metric, name, available, self.part)[0] for name in self.minority)

    def judge(self, metrics: Mapping[str, float]) -> "Verdict":
        """Judge the metrics of `evaluate` by the criterion.

        With `*` and `all` the worst value decides, with `any` the best one; a value that is missing or NaN leaves the
        criterion undecided unless another one decides it.

        >>> parse("recall[rare] >= 0.40").judge({"recall[rare]": 1 / 3}).status
        'missed'
        """
        known, unknown = [], False
        for key in self.keys(metrics):
            value = metrics.get(key, math.nan)
            if math.isfinite(value):
                known.append((self._shortfall(value), key, value))
            else:
                unknown = True
        if not known:
            return Verdict(self, math.nan, "undecided", 0.0, "")
        any_suffices = self.selector == ANY
        shortfall, key, value = min(known) if any_suffices else max(known)
        missed = shortfall > 0
        if unknown and missed == any_suffices:
            return Verdict(self, value, "undecided", 0.0, key)
        return Verdict(self, value, "missed" if missed else "met", max(0.0, shortfall) / self.scale, key)

    def _shortfall(self, value: float) -> float:
        """How far the value is from meeting the criterion: above 0 when missed, at most 0 when met."""
        over = value - self.threshold
        if self.op == "==":
            return abs(over) if abs(over) > TOLERANCE else 0.0
        short = -over if self.op in (">=", ">") else over
        if abs(short) > TOLERANCE:
            return short
        return TOLERANCE if self.op in (">", "<") else 0.0

    @property
    def scale(self) -> float:
        """What a shortfall is divided by to make violations comparable."""
        metric = metric_registry.find(self.metric)
        return 1.0 if metric is None or metric.scale == "share" else max(1.0, abs(self.threshold))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a criterion says about one set of metrics.

    value: the value that decided, NaN when there is none. key: the metric's key that it stands under, "" for none.
    violation: 0 when met or undecided; above 0 when missed: the distance to the threshold, divided by
    max(1, |threshold|) for amounts. Always finite.
    """

    criterion: Criterion
    value: float
    status: Status
    violation: float
    key: str


def parse(text: str, minority: Sequence[str] = ()) -> Criterion:
    """Read one criterion; `any` and `all` speak about the `minority` classes.

    Raises:
        ValueError: not of the grammar, no such metric, a selector too many or missing, or a threshold that is not a
            finite number or outside 0..1 for a share.

    >>> parse("recall[deployed_proven] >= 0.40").threshold
    0.4
    """
    if len(text) > LONGEST:
        raise ValueError(f"a criterion must have at most {LONGEST:,} characters, got {len(text):,}")
    match = _GRAMMAR.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"{_FORM}, got {text!r} (for example: recall[rare] >= 0.40)")
    name, selector, part, op, number = match.groups()
    selector = selector.strip() if selector is not None else None
    metric = _metric(name)
    _check_form(metric, selector)
    threshold = _threshold(number, metric)
    return Criterion(name, selector, cast(Operator, op), threshold, text.strip(), (part or "").strip(), tuple(minority))


def keys(metric: str, selector: str | None, available: Collection[str], part: str = "") -> tuple[str, ...]:
    """The keys of the flat metrics that metric, selector and part of the data stand for, out of those available.

    >>> keys("recall", "*", ("recall[a]", "f1[a]", "recall[b]"))
    ('recall[a]', 'recall[b]')
    """
    at = f"@{part}" if part else ""
    if selector is None:
        return (metric + at,)
    if selector == EVERY:
        return tuple(key for key in available if key.startswith(f"{metric}[") and key.endswith(f"]{at}"))
    key = f"{metric}[{selector}]{at}"
    # A class that is itself named `minority` goes before the mean over the minority.
    return (f"minority_{metric}{at}",) if selector == MINORITY and key not in available else (key,)


def check(criteria: Sequence[Criterion], labels: LabelSpace) -> None:
    """Check criteria against the classes, dimensions and rules of a task.

    Raises:
        ValueError: all that does not fit, one line each: a metric that the task lacks, a selector that is none of its
            classes or dimensions, a criterion given twice.
    """
    faults = [fault for criterion in criteria if (fault := _misfit(criterion.metric, criterion.selector, labels))]
    seen: set[tuple[str, str | None, str, str, float]] = set()
    for criterion in criteria:
        identity = (criterion.metric, criterion.selector, criterion.part, criterion.op, criterion.threshold)
        if identity in seen:
            faults.append(f"a criterion must be given once, got {criterion.text!r} again")
        seen.add(identity)
    if faults:
        raise ValueError("\n".join(faults))


def check_objective(objective: str, labels: LabelSpace) -> None:
    """Check the objective, a single metric such as `minority_recall` or `recall[rare]`, against the task.

    Raises:
        ValueError: no such metric, one that needs another selector, or one that the task lacks.
    """
    name, selector, _ = split_key(objective)
    _check_form(_metric(name), selector)
    if selector in (EVERY, ANY, ALL) and selector not in labels.classes:
        raise ValueError(f"the objective must be one number, got {objective!r} (name a class or dimension)")
    if fault := _misfit(name, selector, labels):
        raise ValueError(fault)


def check_second_objective(second: str | None, objective: str, labels: LabelSpace) -> None:
    """Check what is weighed against the objective, a single metric or `seconds`, against the task; None is nothing.

    Raises:
        ValueError: the objective itself, or as `check_objective` does.
    """
    if second == objective:
        raise ValueError(f"the second objective must be another one than the first, got {second!r} (leave it out)")
    if second is not None and second != SECONDS:
        check_objective(second, labels)


def split_key(key: str) -> tuple[str, str | None, str]:
    """Metric, selector and part of the data (as in `Criterion`) of a key of the flat metrics.

    >>> split_key("recall[pilot]"), split_key("accuracy@script=romaji")
    (('recall', 'pilot', ''), ('accuracy', None, 'script=romaji'))
    """
    whole, _, part = key.strip().rpartition("]") if "[" in key else ("", "", key.strip())
    if not whole:
        name, _, part = part.partition("@")
        return name, None, part
    name, _, selector = whole.partition("[")
    return name, selector.strip(), part.removeprefix("@")


def _metric(name: str) -> Metric:
    metric = metric_registry.find(name)
    if metric is None:
        names = [known.name for known in metric_registry.registered()]
        raise ValueError(f"a metric must be one of {', '.join(names)}, got {name!r}{_nearest(name, names)}")
    return metric


def _check_form(metric: Metric, selector: str | None) -> None:
    if metric.selector is None and selector is not None:
        raise ValueError(f"{metric.name} takes no selector, got {selector!r} (write {metric.name})")
    if metric.selector is not None and not selector and not (metric.bare and selector is None):
        raise ValueError(f"{metric.name} must name a {metric.selector}, got none (write {metric.name}[...] or [*])")


def _threshold(number: str, metric: Metric) -> float:
    try:
        threshold = float(number)
    except ValueError:
        threshold = math.nan
    if not math.isfinite(threshold):
        raise ValueError(f"the threshold of {metric.name} must be a number such as 0.40, got {number!r}")
    if metric.scale == "share" and not 0 <= threshold <= 1:
        remedy = f" (write {threshold / 100:g} for {threshold:g} %)" if 1 < threshold <= 100 else ""
        raise ValueError(f"the threshold of {metric.name} is a share from 0 to 1, got {number}{remedy}")
    return threshold


def _misfit(name: str, selector: str | None, labels: LabelSpace) -> str:
    """What keeps a metric and selector from fitting the task, "" when they fit."""
    metric = _metric(name)
    if not metric.applies(labels):
        lacks = metric_registry.LACKS[metric.needs]
        return f"{name} needs a task with {lacks}, and this one has none (leave the line out)"
    names = metric.selectors(labels)
    if selector is None or selector == EVERY or selector in names:
        return ""
    if selector == MINORITY and metric_registry.find(f"minority_{name}"):
        return ""
    if selector in (ANY, ALL) and metric.selector == "class":
        return ""
    nearest = _nearest(selector, names)
    return f"the {metric.selector} of {name} must be one of {', '.join(names)} or *, got {selector!r}{nearest}"


def _nearest(name: str, valid: Collection[str]) -> str:
    close = difflib.get_close_matches(name, valid, n=1)
    return f" (did you mean {close[0]!r}?)" if close else ""
