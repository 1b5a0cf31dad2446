"""Usable rows of a data file, before a tokenizer has seen them."""

from dataclasses import dataclass

import numpy as np

from analysis.predictions import FloatArray, IntArray


@dataclass(frozen=True, eq=False)
class Examples:
    """n labelled texts.

    rows: [n] number of each row, counted from 0 over the usable rows of all files, in the order of the files.
    texts: n texts; several text columns are joined by a line break.
    classes: [n] index into the classes or tiers.
    scores: [n, dimensions] on the range of the task, for tasks with scores.
    groups: n values of the group column, empty where a row belongs to no group; None without such a column.
    """

    rows: IntArray
    texts: tuple[str, ...]
    classes: IntArray
    scores: FloatArray | None = None
    groups: tuple[str, ...] | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, index: IntArray) -> "Examples":
        """The rows at `index` [m], in its order."""
        positions = np.asarray(index, dtype=np.int64)
        chosen = positions.tolist()
        return Examples(
            rows=self.rows[positions],
            texts=tuple(self.texts[i] for i in chosen),
            classes=self.classes[positions],
            scores=None if self.scores is None else self.scores[positions],
            groups=None if self.groups is None else tuple(self.groups[i] for i in chosen),
        )
