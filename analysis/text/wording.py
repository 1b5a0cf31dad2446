"""How figures read: shares as percentages, amounts as they are, probabilities without false certainty."""

import math

from rarecall.analysis.criteria.criterion import Verdict, split_key
from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.uncertainty.intervals import Interval

_POWERS = ((10**9, "B"), (10**6, "M"), (10**3, "k"))


def value_text(key: str, value: float) -> str:
    """A metric's value under its key or bare name: whole amounts without decimals, "-" for none.

    >>> value_text("recall[rare]", 1 / 3), value_text("mae", 1.234), value_text("support[rare]", 3.0)
    ('33.3 %', '1.23', '3')
    """
    if not math.isfinite(value):
        return "-"
    if is_share(key):
        return f"{100 * value:.1f} %"
    return f"{value:.0f}" if value == int(value) else f"{value:.2f}"


def interval_text(key: str, interval: Interval) -> str:
    """Both ends of an interval of a metric, "-" where nothing is known.

    >>> interval_text("recall[rare]", Interval(0.368, 1.0)), interval_text("mae", Interval(1.03, 1.304))
    ('37–100 %', '1.03–1.30')
    >>> interval_text("catastrophic_failures", Interval(0.0, 2.97))
    '0–3'
    """
    if not math.isfinite(interval.low):
        return "-"
    if is_share(key):
        return f"{100 * interval.low:.0f}–{100 * interval.high:.0f} %"
    if metric_registry.is_whole_count(split_key(key)[0]):
        return f"{math.floor(interval.low)}–{math.ceil(interval.high)}"
    return (
        f"{interval.low:.3g}–{interval.high:.3g}" if interval.high >= 10 else f"{interval.low:.2f}–{interval.high:.2f}"
    )


def probability_text(probability: float) -> str:
    """Two digits; what rounds to 0 or 1 is no certainty.

    >>> probability_text(0.999), probability_text(0.5), probability_text(1.0)
    ('>0.99', '0.50', '>0.99')
    """
    if math.isnan(probability):
        return "-"
    if probability > 0.99:
        return ">0.99"
    return "<0.01" if probability < 0.01 else f"{probability:.2f}"


def duration_text(seconds: float) -> str:
    """A span of time in its natural unit.

    >>> duration_text(15), duration_text(600), duration_text(9000)
    ('15 s', '10 min', '2.5 h')
    """
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def distance_text(verdict: Verdict) -> str:
    """By how much a criterion is missed."""
    criterion = verdict.criterion
    distance = abs(verdict.value - criterion.threshold)
    side = {">": "short", "<": "too much", "=": "off"}[criterion.op[0]]
    return f"{100 * distance:.1f} points {side}" if is_share(criterion.metric) else f"{distance:.3g} {side}"


def is_share(key: str) -> bool:
    """Whether the metric of a key is a share, to be read in percent."""
    metric = metric_registry.find(split_key(key)[0])
    return metric is not None and metric.scale == "share"


def parameters_text(trained: int, total: int) -> str:
    """How much of a model is trained.

    >>> parameters_text(18_480_000, 1_562_200_000), parameters_text(250_000, 250_000)
    ('18.5 M of 1.56 B parameters (1.2 %)', '250 k of 250 k parameters (100.0 %)')
    """
    return f"{_short(trained)} of {_short(total)} parameters ({100 * trained / total:.1f} %)"


def _short(count: int) -> str:
    """Three digits and the power of a thousand."""
    for power, unit in _POWERS:
        # 999,600 is a million in three digits.
        if count >= 0.9995 * power:
            return f"{count / power:.3g} {unit}"
    return str(count)
