"""What the columns of a data file hold, as far as a draft must know."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rarecall.analysis.predictions.label_names import label_of
from rarecall.trainables.data.files.formats import file_rows
from rarecall.trainables.data.files.options import Tell
from rarecall.trainables.data.reading.cells import number_of
from rarecall.trainables.data.reading.listed import NotAListError, listed_cells

# Beyond so many different values a column is no label, and they are no longer counted.
MOST_VALUES = 1000


@dataclass
class ColumnLook:
    """values: how often each occurs, as labels are read, those of lists one by one. many: whether there are too many to
    be counted. filled: cells that hold anything. texts, numbers, lists: cells that are such; a list may be written as a
    text. lengths: characters of each text. lowest, highest: of the numbers.
    """

    name: str
    values: Counter[str] = field(default_factory=Counter)
    filled: int = 0
    texts: int = 0
    lengths: list[int] = field(default_factory=list)
    numbers: int = 0
    lowest: float = math.inf
    highest: float = -math.inf
    lists: int = 0
    many: bool = False

    def add(self, cell: Any) -> None:
        """Look at one more cell."""
        if cell is None or (isinstance(cell, str) and not cell.strip()):
            return
        self.filled += 1
        parts = _parts(cell)
        if parts is not None:
            self.lists += 1
            self._count(parts)
            return
        if isinstance(cell, str):
            self.texts += 1
            self.lengths.append(len(cell))
        number = number_of(cell)
        if math.isfinite(number):
            self.numbers += 1
            self.lowest, self.highest = min(self.lowest, number), max(self.highest, number)
        self._count([cell])

    def _count(self, cells: Iterable[Any]) -> None:
        if not self.many:
            self.values.update(map(label_of, cells))
            self.many = len(self.values) > MOST_VALUES

    @property
    def numeric(self) -> bool:
        """Whether every cell holds a number."""
        return self.filled > 0 and self.numbers == self.filled

    @property
    def mean_length(self) -> float:
        """Characters of a text, in the mean."""
        return sum(self.lengths) / len(self.lengths) if self.lengths else 0.0

    def length(self, share: float) -> int:
        """Characters that such a share of the texts does not exceed."""
        ordered = sorted(self.lengths)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0


@dataclass(frozen=True)
class FileLook:
    """rows: that can be read. columns: by name, in their order."""

    rows: int
    columns: Mapping[str, ColumnLook]


def look(path: Path, tell: Tell) -> FileLook:
    """Read a file once and look at all its columns.

    Raises:
        InputError: it cannot be read.
    """
    rows, columns = 0, dict[str, ColumnLook]()
    for row in file_rows(path, tell=tell):
        if row.fault is not None:
            continue
        rows += 1
        for name, cell in _flat(row.cells.items()):
            columns.setdefault(name, ColumnLook(name)).add(cell)
    return FileLook(rows, columns)


def _flat(cells: Iterable[tuple[str, Any]], before: str = "") -> Iterable[tuple[str, Any]]:
    """Cells by their column; those of nested objects by the path that leads there."""
    for name, cell in cells:
        if isinstance(cell, Mapping):
            yield from _flat(cell.items(), f"{before}{name}.")
        else:
            yield f"{before}{name}", cell


def _parts(cell: Any) -> list[Any] | None:
    """The items of a list, None for anything else."""
    try:
        return listed_cells(cell)
    except NotAListError:
        return None
