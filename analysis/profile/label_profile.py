"""The label profile of a data set: how rare the classes are, and what the settings would do about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

QUANTILES = (0.0, 0.25, 0.5, 0.75, 0.95, 1.0)


@dataclass(frozen=True)
class Mitigated:
    """What one class gets. rows: in an epoch. capped: whether the weight would be larger without the cap."""

    rows: float
    weight: float
    capped: bool


@dataclass(frozen=True)
class ClassProfile:
    """One class, tier, grade or label. rows: by split. mitigations: by name, the experiment's own settings under ""."""

    name: str
    minority: bool
    rows: Mapping[str, int]
    mitigations: Mapping[str, Mitigated]


@dataclass(frozen=True)
class Lengths:
    """How long texts are, in one unit. quantiles: at `QUANTILES`. cut: share that `model.max_length` shortens."""

    unit: Literal["words", "tokens"]
    quantiles: tuple[float, ...]
    cut: float | None = None


@dataclass(frozen=True)
class Duplicates:
    """Rows whose text stands elsewhere. within: by split, rows that repeat an earlier one. across: by two splits, rows
    of the second. contradicting: texts that have different labels in different rows.
    """

    within: Mapping[str, int]
    across: Mapping[tuple[str, str], int]
    contradicting: int


@dataclass(frozen=True)
class LabelsPerRow:
    """For several labels per row. cardinality: their mean. none: rows without any. together: pairs of labels that most
    often come together, with rows. broken: implications and exclusions that rows break, with rows.
    """

    cardinality: float
    none: int
    together: tuple[tuple[str, str, int], ...]
    broken: Mapping[str, int]


@dataclass(frozen=True)
class Profile:
    """All that is known of the data before training.

    rows: by split. lengths: of texts of all splits, empty for images. slices: by column, value and split, rows.
    scores: quantiles of each dimension in the training split. notes: what the user should know.
    """

    name: str
    rows: Mapping[str, int]
    classes: tuple[ClassProfile, ...]
    duplicates: Duplicates
    lengths: tuple[Lengths, ...] = ()
    max_length: int = 0
    slices: Mapping[str, Mapping[str, Mapping[str, int]]] = field(default_factory=dict)
    scores: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    labels_per_row: LabelsPerRow | None = None
    notes: tuple[str, ...] = ()

    @property
    def largest(self) -> int:
        """Training rows of the largest class."""
        return max(one.rows["train"] for one in self.classes)

    def ratio(self, one: ClassProfile) -> float:
        """n_max / n_c in the training split, infinite for a class without rows there."""
        rows = one.rows["train"]
        return self.largest / rows if rows else float("inf")

    def plain(self) -> dict[str, Any]:
        """The profile as JSON has it."""
        of_labels = self.labels_per_row
        return {
            "name": self.name,
            "rows": dict(self.rows),
            "classes": [
                {
                    "name": one.name,
                    "minority": one.minority,
                    "rows": dict(one.rows),
                    "ratio": self.ratio(one),
                    "mitigations": {
                        name or "experiment": vars(mitigation) for name, mitigation in one.mitigations.items()
                    },
                }
                for one in self.classes
            ],
            "lengths": {one.unit: {"quantiles": list(one.quantiles), "cut": one.cut} for one in self.lengths},
            "duplicates": {
                "within": dict(self.duplicates.within),
                "across": {" in ".join(pair[::-1]): rows for pair, rows in self.duplicates.across.items()},
                "contradicting": self.duplicates.contradicting,
            },
            "slices": {column: dict(values) for column, values in self.slices.items()},
            "scores": {name: list(values) for name, values in self.scores.items()},
            "labels_per_row": vars(of_labels) if of_labels else None,
            "notes": list(self.notes),
        }
