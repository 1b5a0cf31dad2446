"""Outcome bands: how good a trial is in the words of the people who asked for it, and what they planned to do next."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from rarecall.analysis.criteria.criterion import Criterion, parse
from rarecall.analysis.predictions.label_space import LabelSpace

When = Literal["all", "any"]
FAILURE = "failure"


@dataclass(frozen=True)
class Band:
    """An outcome with a name, such as best, acceptable and failure.

    when: whether it takes all criteria to be in the band, or any of them. next_steps: what to do then, one line each.
    """

    name: str
    criteria: tuple[Criterion, ...]
    next_steps: tuple[str, ...] = ()
    when: When = "all"

    def holds(self, metrics: Mapping[str, float]) -> bool:
        """Whether metrics are in the band as measured; a criterion without a value is not met."""
        combine = all if self.when == "all" else any
        return combine(criterion.judge(metrics).status == "met" for criterion in self.criteria)


def band_of(metrics: Mapping[str, float], bands: Sequence[Band]) -> Band | None:
    """The first band, in the order of the experiment, that the metrics are in; None between two bands.

    >>> bands = (Band("best", (parse("accuracy >= 0.9"),)), Band("failure", (parse("accuracy < 0.5"),), when="any"))
    >>> [band.name if band else "between" for band in (band_of({"accuracy": a}, bands) for a in (0.95, 0.7, 0.2))]
    ['best', 'between', 'failure']
    """
    return next((band for band in bands if band.holds(metrics)), None)


def read_bands(plain: Mapping[str, Mapping[str, Any]], labels: LabelSpace) -> tuple[Band, ...]:
    """The bands of an experiment or a `run` row: criteria, next_steps and when (by default `all`, for failure `any`).

    Raises:
        ValueError: a criterion that cannot be read.
    """
    return tuple(_band(name, entry, labels) for name, entry in plain.items())


def _band(name: str, entry: Mapping[str, Any], labels: LabelSpace) -> Band:
    criteria = tuple(parse(text, labels.minority) for text in entry["criteria"])
    return Band(name, criteria, tuple(entry.get("next_steps", ())), entry.get("when") or default_when(name))


def default_when(name: str) -> When:
    """A failure is told by any of its signs; a success takes all of its criteria."""
    return "any" if name == FAILURE else "all"
