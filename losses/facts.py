"""What a loss may have to know about the labels of the data it is used on."""

import math
from dataclasses import dataclass

Pairs = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class LabelFacts:
    """How often the labels come, how much they weigh, and which of them go together.

    counts: rows of each class, grade or label that an epoch holds, after sampling. weights: weight of each label where
    a row may have several (pos_weight), empty for all alike. implications: pairs of a label and the label that it
    implies, (secondary, primary). exclusions: pairs of labels that no row may have both. Pairs hold indices.

    >>> LabelFacts(counts=(90.0, 10.0), weights=(1.0, 9.0), implications=((1, 0),)).counts
    (90.0, 10.0)

    Raises:
        ValueError: a count is negative, a weight is not above 0, or a length or an index does not fit.
    """

    counts: tuple[float, ...]
    weights: tuple[float, ...] = ()
    implications: Pairs = ()
    exclusions: Pairs = ()

    def __post_init__(self) -> None:
        if not self.counts or not all(0 <= count < math.inf for count in self.counts):
            raise ValueError(f"counts must be finite and at least 0, one per label, got {self.counts}")
        if self.weights and len(self.weights) != len(self.counts):
            raise ValueError(f"weights must be one for each of {len(self.counts)} labels, got {self.weights}")
        if not all(0 < weight < math.inf for weight in self.weights):
            raise ValueError(f"weights must be finite and above 0, got {self.weights}")
        for name, pairs in (("implications", self.implications), ("exclusions", self.exclusions)):
            self._require_pairs(name, pairs)

    def _require_pairs(self, name: str, pairs: Pairs) -> None:
        for one, other in pairs:
            if one == other or not (0 <= one < len(self.counts) and 0 <= other < len(self.counts)):
                raise ValueError(
                    f"{name} must be pairs of two different labels from 0 to {len(self.counts) - 1}, got {(one, other)}"
                )
