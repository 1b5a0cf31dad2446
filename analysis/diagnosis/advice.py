"""What a rule advises to change, as settings with the value now and the value to try."""

import math
from collections.abc import Mapping
from typing import Any

from rarecall.analysis.diagnosis.observations import falls, mitigated
from rarecall.analysis.diagnosis.rules import Case, Change
from rarecall.analysis.settings import CAP, EPOCHS, GAMMA, RATE, RATIO, SCHEME, STRENGTH, VALUES

MOST_WEIGHT = 10.0


def capped_weights(case: Case) -> tuple[Change, ...]:
    """No weight above 10, neither by name nor by the cap."""
    values: Mapping[str, float] = case.settings.get(VALUES) or {}
    capped = {name: min(float(weight), _most_weight(case, name)) for name, weight in values.items()}
    cap = case.number(CAP)
    return (
        *(case.change(VALUES, capped) if capped != dict(values) else ()),
        *(case.change(CAP, MOST_WEIGHT) if cap > MOST_WEIGHT else ()),
    )


def _most_weight(case: Case, name: str) -> float:
    """10, or less where that evens out the classes: the rows of the largest one in an epoch for each of this one."""
    sampled = {one: amounts.get("sampled", 0.0) for one, amounts in case.record.mitigation.items()}
    if case.labels.multilabel or not sampled.get(name):
        return MOST_WEIGHT
    return min(MOST_WEIGHT, rounded(max(sampled.values()) / sampled[name]))


def against_low_recall(case: Case) -> tuple[Change, ...]:
    """Ratio and weights up; where they were in force, and losses had stopped falling, half the rate and more epochs."""
    if case.labels.multilabel and min(case.by_class("recall").values(), default=1.0) == 0:
        return (*case.change(GAMMA, max(3.0, case.number(GAMMA))), *stronger_weights(case))
    changes = [*case.change(RATIO, more_ratio(case)), *stronger_weights(case)]
    if mitigated(case) and not falls(case):
        changes += case.change(RATE, rounded(case.number(RATE) / 2))
        changes += case.change(EPOCHS, more_epochs(case))
    return tuple(changes)


def gentler(case: Case) -> tuple[Change, ...]:
    """Weaker weights, less oversampling, half the learning rate, more epochs."""
    slower = case.change(RATE, rounded(case.number(RATE) / 2))
    changes = (*weaker_weights(case), *_less_ratio(case), *slower, *case.change(EPOCHS, more_epochs(case)))
    return tuple({change.key: change for change in changes}.values())


def more_ratio(case: Case) -> float:
    """An oversampling ratio a step up."""
    ratio = case.number(RATIO)
    return 0.2 if not ratio > 0 else min(1.0, rounded(ratio + 0.1))


def _less_ratio(case: Case) -> tuple[Change, ...]:
    ratio = case.number(RATIO)
    return case.change(RATIO, rounded(ratio / 2)) if ratio > 0 else ()


def stronger_weights(case: Case) -> tuple[Change, ...]:
    """A step up for weights that a strength decides; those by name or by a stronger scheme stay."""
    if case.settings.get(SCHEME) == "none":
        return (*case.change(SCHEME, "power"), *case.change(STRENGTH, 0.5))
    if case.settings.get(SCHEME) != "power" or case.settings.get(VALUES):
        return ()
    strength = case.number(STRENGTH)
    return case.change(STRENGTH, 0.5 if strength < 0.5 else min(1.0, rounded(strength + 0.25)))


def weaker_weights(case: Case) -> tuple[Change, ...]:
    """Seven tenths of the weights: of those by name, of the strength, or of the cap where a scheme has none."""
    values = case.settings.get(VALUES)
    if values:
        return case.change(VALUES, {name: max(1.0, rounded(0.7 * weight)) for name, weight in values.items()})
    if case.settings.get(SCHEME) == "power":
        strength = case.number(STRENGTH)
        return case.change(STRENGTH, rounded(0.7 * strength)) if strength > 0 else _less_ratio(case)
    return case.change(CAP, max(1.0, rounded(0.7 * case.number(CAP))))


def lower_rank(rank: float) -> Any:
    """8, as the technology filter has it; half of a rank that is no higher."""
    return 8 if rank > 8 else max(2, int(rank // 2))


def more_epochs(case: Case) -> Any:
    """3 → 5, and likewise for other numbers."""
    return math.ceil(case.number(EPOCHS) * 5 / 3) if case.number(EPOCHS) > 0 else 5


def rounded(value: float) -> float:
    """Three digits, so that a file with it reads well."""
    return float(f"{value:.3g}")
