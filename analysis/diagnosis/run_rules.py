"""The rules about a whole run: how far the winner can be trusted, and whether the search looked in the right place."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import spearmanr

from rarecall.analysis.diagnosis.rules import Case, Change, Observed, rule
from rarecall.analysis.diagnosis.symptom_rules import FEW_ROWS
from rarecall.analysis.runs.ranking.standings import Standing
from rarecall.analysis.settings import GAMMA, RANK, RATE, RATIO, SAMPLING_STRENGTH, STRENGTH
from rarecall.analysis.text.wording import probability_text, value_text

# Part of a range, at either end, in which a best value says that the range ends too early.
EDGE = 0.1
WIDER = 3.0
# Below that many trials no mitigation can be told to have no effect, and no correlation above this is taken for none.
ENOUGH_TRIALS, NO_EFFECT = 16, 0.2
MITIGATIONS = (RATIO, STRENGTH, GAMMA, SAMPLING_STRENGTH)


@rule(
    "winner_by_luck",
    "The winner may be luck: few rare rows decide between the trials",
    "technology filter: high variance in the rare tier's predictions",
    about="run",
)
def winner_by_luck(case: Case) -> Observed | None:
    """A minority class with fewer than 10 validation rows decides between at least two trials."""
    ranked = [standing for standing in case.ranked if standing.best]
    counted = {name: case.rows(name) for name in case.labels.minority if case.rows(name) > 0}
    if len(ranked) < 2 or not counted or min(counted.values()) >= FEW_ROWS:
        return None
    name = min(counted, key=lambda one: counted[one])
    rows, best, second = counted[name], *(_recall(standing, name) for standing in ranked[:2])
    if not best > 0:
        return None
    chance = 1 - (1 - _at_least(round(best * rows), rows)) ** len(ranked)
    evidence = (
        f"{rows} validation rows of {name}; winner {_told(best, rows)}, next trial {_told(second, rows)}",
        f"if every trial truly recalled half of them, one of {len(ranked)} would reach {_told(best, rows)} with "
        f"probability {probability_text(chance)}",
    )
    advice = f"judge the first trials by more rows: rarecall finalists {case.run.folder}, or label more rows of {name}"
    return Observed(evidence, advice=(advice,))


@rule(
    "learning_rate_at_edge",
    "The best learning rates lie at the end of their range",
    "a range that ends too early hides a better value",
    figure="minority_recall",
    about="run",
)
def learning_rate_at_edge(case: Case) -> Observed | None:
    """Winner and half of the best quarter have a learning rate in the outer tenth of its range."""
    return _at_edge(case, RATE)


@rule(
    "rank_at_edge",
    "The best ranks lie at the end of their range",
    "technology filter: rank 16 → 32 where it underfits, 16 → 8 where it overfits",
    figure="minority_recall",
    about="run",
)
def rank_at_edge(case: Case) -> Observed | None:
    """Winner and half of the best quarter have the lowest or the highest rank."""
    return _at_edge(case, RANK)


@rule(
    "mitigation_without_effect",
    "A mitigation makes no visible difference",
    "retina grades: no gain in the rare grades; both mitigations at once can over-emphasise them",
    about="run",
)
def mitigation_without_effect(case: Case) -> Observed | None:
    """Over at least 16 trials, a mitigation and minority recall have a rank correlation below 0.2."""
    ranked = [standing for standing in case.ranked if standing.best]
    if len(ranked) < ENOUGH_TRIALS:
        return None
    recalls = [standing.best.metrics.get("minority_recall", math.nan) for standing in ranked if standing.best]
    evidence: list[str] = []
    changes: list[Change] = []
    for key in MITIGATIONS:
        correlation = _correlation([standing.record.params.get(key) for standing in ranked], recalls)
        if abs(correlation) < NO_EFFECT:
            evidence.append(f"{key}: rank correlation with minority recall {correlation:+.2f} in {len(ranked)} trials")
            changes += _space_change(case, key, None)
    if not evidence:
        return None
    return Observed(tuple(evidence), tuple(changes), ("a smaller search space finds the same with fewer trials",))


def _at_edge(case: Case, key: str) -> Observed | None:
    """Half of the best quarter of the trials, and the winner, lie at one end of the values searched."""
    ranked = [standing for standing in case.ranked if standing.best and key in standing.record.params]
    entry = case.space.get(key)
    if entry is None or len(ranked) < 4:
        return None
    top = [float(standing.record.params[key]) for standing in ranked[: max(2, len(ranked) // 4)]]
    for end in ("low", "high"):
        near = [value for value in top if _is_near(value, entry, end)]
        if top[0] in near and 2 * len(near) >= len(top):
            values = ", ".join(f"{value:.3g}" for value in top)
            evidence = f"{key} of the {len(top)} best trials: {values}; searched {_range_text(entry)}"
            return Observed((evidence,), _space_change(case, key, _widened(entry, end)))
    return None


def _is_near(value: float, entry: Mapping[str, Any], end: str) -> bool:
    if "choices" in entry:
        choices = [float(choice) for choice in entry["choices"]]
        return len(choices) > 1 and value == (min(choices) if end == "low" else max(choices))
    low, high, place = (
        math.log(one) if entry.get("log") else float(one) for one in (entry["low"], entry["high"], value)
    )
    share: float = (place - low) / (high - low)
    return share <= EDGE if end == "low" else share >= 1 - EDGE


def _widened(entry: Mapping[str, Any], end: str) -> dict[str, Any]:
    """The same entry with room at that end: three times the last value, a third of the first, or one more choice."""
    if "choices" in entry:
        choices = sorted(entry["choices"])
        more = [max(1, choices[0] // 2)] if end == "low" else [choices[-1] * 2]
        return {"choices": sorted({*choices, *more})}
    bound = entry[end] * WIDER if end == "high" else entry[end] / WIDER
    wider = max(1, round(bound)) if isinstance(entry[end], int) else float(f"{bound:.3g}")
    return {**{name: value for name, value in entry.items() if value is not None}, end: wider}


def _range_text(entry: Mapping[str, Any]) -> str:
    if "choices" in entry:
        return ", ".join(map(str, entry["choices"]))
    return f"{entry['low']:g} to {entry['high']:g}"


def _space_change(case: Case, key: str, after: Any) -> tuple[Change, ...]:
    before = case.space.get(key)
    return (Change(f"space.{key}", dict(before), after),) if before is not None and before != after else ()


def _recall(standing: Standing, name: str) -> float:
    return standing.best.metrics.get(f"recall[{name}]", math.nan) if standing.best else math.nan


def _told(recall: float, rows: int) -> str:
    return f"{round(recall * rows)} of {rows}" if math.isfinite(recall) else value_text("recall", recall)


def _at_least(hits: int, rows: int) -> float:
    """Probability of that many hits or more where each row is one with probability one half."""
    return float(sum(math.comb(rows, k) for k in range(hits, rows + 1)) * 0.5**rows)


def _correlation(values: Sequence[Any], recalls: Sequence[float]) -> float:
    """Spearman's rank correlation; NaN where the values do not vary or are not all there."""
    pairs = [
        (float(v), r)
        for v, r in zip(values, recalls, strict=True)
        if isinstance(v, int | float) and not isinstance(v, bool) and math.isfinite(r)
    ]
    one, other = np.array(pairs).T if pairs else (np.empty(0), np.empty(0))
    if len(pairs) < ENOUGH_TRIALS or np.ptp(one) == 0 or np.ptp(other) == 0:
        return math.nan
    return float(spearmanr(one, other).statistic)
