"""What was predicted: true and predicted labels of rows, as plain arrays."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray, NameArray


@dataclass(frozen=True)
class Predictions:
    """True and predicted labels of n rows.

    rows: [n] number of each row in the data, counted from 0 over all usable rows.
    true_class, predicted_class: [n] index into LabelSpace.classes; None where a row may have several.
    probabilities: [n, classes], for tasks that give them.
    true_scores, predicted_scores: [n, dimensions], for tasks with scores.
    true_overall, predicted_overall: [n] weighted overall score, for tasks with scores.
    true_labels, predicted_labels: [n, classes] whether the row has the label, where a row may have several.
    unreadable: [n] the answer of each row whose answer could not be read, None for the others; its prediction is then
    as wrong as can be. For tasks whose answers are written.
    slices: [n] values by column, the parts of the data that are looked at one by one.
    """

    rows: IntArray
    true_class: IntArray | None = None
    predicted_class: IntArray | None = None
    probabilities: FloatArray | None = None
    true_scores: FloatArray | None = None
    predicted_scores: FloatArray | None = None
    true_overall: FloatArray | None = None
    predicted_overall: FloatArray | None = None
    true_labels: BoolArray | None = None
    predicted_labels: BoolArray | None = None
    unreadable: NameArray | None = None
    slices: Mapping[str, NameArray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.rows)

    def take(self, index: IntArray | BoolArray) -> "Predictions":
        """The rows at `index` [m] (positions, repeats allowed, or a mask [n])."""
        arrays = {part.name: getattr(self, part.name) for part in fields(self) if part.name != "slices"}
        picked: dict[str, Any] = {name: None if array is None else array[index] for name, array in arrays.items()}
        return replace(self, **picked, slices={name: values[index] for name, values in self.slices.items()})

    @classmethod
    def joined(cls, parts: Sequence["Predictions"]) -> "Predictions":
        """The rows of several predictions of one task, one after another.

        Raises:
            ValueError: no parts.
        """
        if not parts:
            raise ValueError("at least one part must be given, got none")
        names = [part.name for part in fields(cls) if part.name != "slices"]
        columns: dict[str, Any] = {
            name: None if getattr(parts[0], name) is None else np.concatenate([getattr(one, name) for one in parts])
            for name in names
        }
        slices = {name: np.concatenate([one.slices[name] for one in parts]) for name in parts[0].slices}
        return cls(**columns, slices=slices)

    @property
    def strata(self) -> IntArray:
        """What a stratified resampling keeps in proportion [n]: the true class, or the rarest true label of the row.

        A row without a label has the number of labels for a stratum.
        """
        if self.true_class is not None:
            return self.true_class
        if self.true_labels is None:
            raise ValueError("predictions must hold true classes or true labels, got neither")
        return rarest_label(self.true_labels)


def rarest_label(labels: BoolArray) -> IntArray:
    """Index [n] of each row's rarest label, by how many rows of `labels` [n, k] have it; k for a row without any.

    >>> rarest_label(np.array([[True, True], [True, False], [False, False]]))
    array([1, 0, 2])
    """
    counts = labels.sum(axis=0)
    # Stable: among equally rare labels the first one counts.
    order = np.argsort(counts, kind="stable")
    first = labels[:, order].argmax(axis=1)
    return np.asarray(np.where(labels.any(axis=1), order[first], labels.shape[1]), dtype=np.int64)
