"""What is predicted: the classes, tiers, grades or labels of a task, and which of them are rare."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True)
class CatastrophicRule:
    """A catastrophic failure: a row whose true overall score is below one cut and its predicted one above another."""

    true_below: float
    predicted_above: float


@dataclass(frozen=True)
class LabelSpace:
    """The classes, tiers, grades or labels of a task and which of them are rare.

    classes: names; tiers and grades in ascending order. minority: the classes that the objective is about, in class
    order. dimensions: names of the score dimensions, empty for a task without scores. catastrophic: None for a task
    without scores or without the rule. ordered: whether the classes ascend. multilabel: whether a row may have several
    classes, or none. groups: named groups of classes, such as the primary and the secondary labels. implications: pairs
    of a label and one that it implies. exclusions: pairs of labels that no row may have both. written: whether scores
    are read from answers that a model writes.
    """

    classes: tuple[str, ...]
    minority: tuple[str, ...]
    dimensions: tuple[str, ...] = ()
    catastrophic: CatastrophicRule | None = None
    ordered: bool = False
    multilabel: bool = False
    groups: tuple[tuple[str, tuple[str, ...]], ...] = ()
    implications: tuple[tuple[str, str], ...] = ()
    exclusions: tuple[tuple[str, str], ...] = ()
    written: bool = False

    @classmethod
    def from_plain(cls, plain: Mapping[str, Any]) -> "LabelSpace":
        """Read back what `dataclasses.asdict` and JSON made of a label space; keys of later versions are left out."""
        known = {part.name: _tuples(plain[part.name]) for part in fields(cls) if part.name in plain}
        rule = plain.get("catastrophic")
        return cls(**{**known, "catastrophic": CatastrophicRule(**rule) if rule else None})

    def index(self, pairs: tuple[tuple[str, str], ...]) -> tuple[tuple[int, int], ...]:
        """Pairs of class names as pairs of indices."""
        return tuple((self.classes.index(one), self.classes.index(other)) for one, other in pairs)


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list | tuple) else value
