"""How a task finds what is true of the rows of a data file: from which columns, and what it makes of their cells."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.label_names import label_of
from rarecall.trainables.data.reading.cells import (
    flag_of,
    flag_problem,
    label_problem,
    labels_of,
    labels_problem,
    number_of,
    number_problem,
)
from rarecall.trainables.data.reading.listed import listed_cells, multi_hot

# Cells by column, one for each row.
Columns = Mapping[str, Any]
# Tells what is wrong with the row at a position: rule, received value, remedy.
Refuse = Callable[[int, str, str, str], None]


@dataclass(frozen=True)
class Truth:
    """What n rows say. names: their classes or labels; scores: [n, dimensions] for tasks with scores."""

    names: list[tuple[str, ...]]
    scores: FloatArray | None = None


class LabelReading(Protocol):
    """Reads the truth of rows. Every row that it cannot read must be refused; what stands for it then is not used."""

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that the file must have."""

    @property
    def several(self) -> bool:
        """Whether a row may have several labels, or none; otherwise each has one class."""

    def read(self, columns: Columns, refuse: Refuse) -> Truth:
        """The truth of n rows."""


def label_column(label: str | None, kind: str, what: str = "the class", remedy: str = "") -> str:
    """The column that `data.label` names.

    Raises:
        InputError: it names none.
    """
    if label is not None:
        return label
    rule = f"must name the column that holds {what}" + ("" if remedy else f", for a {kind} task")
    raise InputError("data.label", [Fault("data.label", rule, "nothing", remedy or "set data.label")])


@dataclass(frozen=True)
class OneClass:
    """One class per row, in one column."""

    column: str
    several: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def read(self, columns: Columns, refuse: Refuse) -> Truth:
        cells = columns[self.column]
        names: list[tuple[str, ...]] = [(label,) if (label := label_of(cell)) else () for cell in cells]
        for position in [i for i, labels in enumerate(names) if not labels]:
            refuse(position, *label_problem(self.column, cells[position]))
        return Truth(names)


@dataclass(frozen=True)
class ListedLabels:
    """Any number of labels per row, listed in one column; or marked there by 0 and 1, in the order of `names`."""

    column: str
    separator: str
    names: tuple[str, ...] = ()
    several: bool = True

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column,)

    def read(self, columns: Columns, refuse: Refuse) -> Truth:
        cells = columns[self.column]
        if marks := multi_hot(cells):
            return self._marked(cells, marks)
        found = [labels_of(cell, self.separator) for cell in cells]
        for position in [i for i, labels in enumerate(found) if labels is None]:
            refuse(position, *labels_problem(self.column, cells[position], self.separator))
        return Truth([labels or () for labels in found])

    def _marked(self, cells: Sequence[Any], marks: int) -> Truth:
        if marks != len(self.names):
            rule = f"must name the {marks} labels that column {self.column!r} marks with 0 and 1, in its order"
            raise InputError("task.labels", [Fault("task.labels", rule, f"{len(self.names) or 'no'} names")])
        rows = (listed_cells(cell) or () for cell in cells)
        return Truth([tuple(name for name, mark in zip(self.names, row, strict=False) if mark) for row in rows])


@dataclass(frozen=True)
class Flags:
    """Any number of labels per row, each with a column of 0 and 1."""

    columns: tuple[str, ...]
    several: bool = True

    def read(self, columns: Columns, refuse: Refuse) -> Truth:
        flags = {name: [flag_of(cell) for cell in columns[name]] for name in self.columns}
        for name in self.columns:
            for position in [i for i, flag in enumerate(flags[name]) if flag is None]:
                refuse(position, *flag_problem(name, columns[name][position]))
        rows = zip(*flags.values(), strict=True)
        return Truth([tuple(name for name, flag in zip(self.columns, row, strict=True) if flag) for row in rows])


@dataclass(frozen=True)
class Scores:
    """Numbers within `bounds`, one column for each dimension, and the class that `classify` makes of them.

    classify: from scores [n, dimensions] to indices [n] of `classes`.
    """

    columns: tuple[str, ...]
    bounds: tuple[float, float]
    classes: tuple[str, ...]
    classify: Callable[[FloatArray], IntArray]
    several: bool = False

    def read(self, columns: Columns, refuse: Refuse) -> Truth:
        scores = np.column_stack([_numbers(columns[name]) for name in self.columns])
        low, high = self.bounds
        for position, dimension in np.argwhere(~((scores >= low) & (scores <= high))).tolist():
            name = self.columns[dimension]
            refuse(position, *number_problem(name, columns[name][position], self.bounds))
        return Truth([(self.classes[index],) for index in self.classify(scores).tolist()], scores)


def _numbers(cells: Sequence[Any]) -> FloatArray:
    return np.fromiter(map(number_of, cells), np.float64, len(cells))
