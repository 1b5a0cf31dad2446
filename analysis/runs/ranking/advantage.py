"""What a trial gains over the best baseline, and whether that is more than chance."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.criteria.ranking import objective_key
from rarecall.analysis.metrics import registry as metric_registry
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.baselines import PLAIN_BASELINE
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ranking.standings import Standing, baseline_standings
from rarecall.analysis.runs.run import Run
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior
from rarecall.analysis.uncertainty.intervals import Interval


@dataclass(frozen=True, slots=True)
class Advantage:
    """A trial held against the baseline that ranks first, by the objective's metric, on the same rows.

    interval: of the trial's value minus the baseline's, from paired draws. better: probability that the trial is truly
    better. smaller_is_better: such as of an error. trial_met, baseline_met: criteria that each meets as measured.
    """

    trial: str
    baseline: str
    key: str
    value: float
    baseline_value: float
    interval: Interval
    level: float
    better: float
    smaller_is_better: bool
    trial_met: int
    baseline_met: int

    @property
    def surely_better(self) -> bool:
        """Whether the whole interval is on the trial's side."""
        return self.interval.high < 0 if self.smaller_is_better else self.interval.low > 0

    @property
    def surely_worse(self) -> bool:
        """Whether the whole interval is on the baseline's side."""
        return self.interval.low > 0 if self.smaller_is_better else self.interval.high < 0

    def plain(self) -> dict[str, Any]:
        """All of it as JSON has it."""
        interval = [self.interval.low, self.interval.high]
        return {**asdict(self), "interval": interval, "surely_better": self.surely_better}


def advantage(standing: Standing | None, run: Run) -> Advantage | None:
    """What a trial gains; None without baselines, or where the predictions of either cannot be read or differ in rows.

    Both are measured on the validation rows on which the trial was chosen, and the baseline's strength and rule.
    """
    if standing is None or standing.best is None:
        return None
    # The trial without mitigation is a baseline of all others.
    itself = PLAIN_BASELINE if standing.record.unmitigated else ""
    baselines = [one for one in baseline_standings(run) if one.record.trial != itself]
    if not baselines or baselines[0].best is None:
        return None
    evidence, best = Evidence(run), baselines[0].best
    one, other = evidence.predictions(best), evidence.predictions(standing.best)
    if one is None or other is None:
        return None
    one, other = (predictions.take(np.argsort(predictions.rows)) for predictions in (one, other))
    if not np.array_equal(one.rows, other.rows):
        return None
    key = objective_key(standing.best.metrics, run.objective)
    metric = metric_registry.find(split_key(key)[0])
    smaller = metric is not None and metric.direction == "min"
    interval, better = _paired(one, other, run, key, evidence.level)
    return Advantage(
        trial=standing.record.trial,
        baseline=baselines[0].record.trial,
        key=key,
        value=standing.best.metrics.get(key, np.nan),
        baseline_value=best.metrics.get(key, np.nan),
        interval=interval,
        level=evidence.level,
        better=1 - better if smaller else better,
        smaller_is_better=smaller,
        trial_met=standing.met,
        baseline_met=baselines[0].met,
    )


def _paired(one: Predictions, other: Predictions, run: Run, key: str, level: float) -> tuple[Interval, float]:
    """Interval of `other` minus `one`, and the probability that it is above 0."""
    name, _, part = split_key(key)
    slices = [(part.partition("=")[0], part.partition("=")[2])] if part else []
    # The same seed weighs the same rows alike in both: the draws are pairs.
    first, second = (posterior(predictions, run.labels, [name], slices)[key] for predictions in (one, other))
    apart = second - first
    return percentile(apart, level), float(np.mean(apart > 0) + np.mean(apart == 0) / 2)
