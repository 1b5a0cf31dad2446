"""Usable rows of a data file, before a tokenizer or image processor has seen them."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray, NameArray
from rarecall.trainables.data.images import Images


class Labelled(Protocol):
    """What is true of n rows, be they texts, images or already encoded; the members are those of `Examples`."""

    @property
    def rows(self) -> IntArray: ...
    @property
    def classes(self) -> IntArray: ...
    @property
    def scores(self) -> FloatArray | None: ...
    @property
    def labels(self) -> BoolArray | None: ...
    @property
    def slices(self) -> Mapping[str, NameArray]: ...
    @property
    def keywords(self) -> BoolArray | None: ...


class Part:
    """Some rows of what is labelled, at the positions `index` [m]."""

    def __init__(self, whole: Labelled, index: IntArray) -> None:
        self.rows, self.classes = whole.rows[index], whole.classes[index]
        self.scores = None if whole.scores is None else whole.scores[index]
        self.labels = None if whole.labels is None else whole.labels[index]
        self.slices = {name: values[index] for name, values in whole.slices.items()}
        self.keywords = None if whole.keywords is None else whole.keywords[index]


@dataclass(frozen=True, eq=False)
class Examples:
    """n labelled texts or images.

    rows: [n] number of each row, counted from 0 over the usable rows of all files, in the order of the files.
    texts: n texts; several text columns are joined by a line break. For images what tells one from another.
    classes: [n] index into the classes or tiers; where a row may have several labels, that of its rarest one, and the
    number of labels for a row without any.
    scores: [n, dimensions] on the range of the task, for tasks with scores.
    groups: n values of the group column, empty where a row belongs to no group; None without such a column.
    labels: [n, labels] whether the row has each label, where it may have several.
    slices: [n] values of the columns whose parts are looked at one by one.
    images: n images, None for texts.
    keywords: [n, rules] whether each keyword rule of the task finds its words in the text; None without such rules.
    """

    rows: IntArray
    texts: tuple[str, ...]
    classes: IntArray
    scores: FloatArray | None = None
    groups: tuple[str, ...] | None = None
    labels: BoolArray | None = None
    slices: Mapping[str, NameArray] = field(default_factory=dict)
    images: Images | None = None
    keywords: BoolArray | None = None

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, index: IntArray) -> "Examples":
        """The rows at `index` [m], in its order."""
        positions = np.asarray(index, dtype=np.int64)
        chosen = positions.tolist()
        return replace(
            self,
            rows=self.rows[positions],
            texts=tuple(self.texts[i] for i in chosen),
            classes=self.classes[positions],
            scores=None if self.scores is None else self.scores[positions],
            groups=None if self.groups is None else tuple(self.groups[i] for i in chosen),
            labels=None if self.labels is None else self.labels[positions],
            slices={name: values[positions] for name, values in self.slices.items()},
            images=None if self.images is None else self.images.take(positions),
            keywords=None if self.keywords is None else self.keywords[positions],
        )

    def class_rows(self, count: int) -> IntArray:
        """Rows of each of `count` classes [count]; one with several labels counts for each of them."""
        if self.labels is not None:
            return np.asarray(self.labels.sum(axis=0), dtype=np.int64)
        return np.bincount(self.classes, minlength=count)
