"""Rows without labels, on their way to predictions: text or image of each, or what keeps it from having one."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from rarecall.analysis.errors import Fault
from rarecall.analysis.predictions.label_names import label_of
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.files.columns import cell_at, check_columns
from rarecall.trainables.data.files.formats import AS_THEY_ARE, file_rows, unheard
from rarecall.trainables.data.files.options import FileOptions, Row, Tell, unusable
from rarecall.trainables.data.images import ArrayImages, FileImages, Pixels, check_image, image_folder
from rarecall.trainables.data.reading.cells import shown, text_of, text_problem

KEPT_FAULTS = 20


@dataclass(frozen=True)
class Source:
    """A data file and the columns that the model's inputs come from: several of text, or one of images.

    carried: columns that are handed on as they are, None for all. options: how the file is read.
    """

    path: Path
    text: tuple[str, ...] = ()
    image: str | None = None
    carried: tuple[str, ...] | None = ()
    options: FileOptions = AS_THEY_ARE

    @property
    def inputs(self) -> tuple[str, ...]:
        return self.text if self.image is None else (self.image,)


@dataclass(frozen=True)
class Unlabelled:
    """One row. number: counted from 0 over all rows of the file, unusable ones included. image: pixels or a file."""

    number: int
    cells: Mapping[str, Any]
    text: str = ""
    image: Pixels | Path | None = None
    fault: Fault | None = None


@dataclass(frozen=True)
class Survey:
    """What is in a file. columns: in the order of their appearance. faults: the first 20 of `unusable` rows. notes: how
    the file was read, where that is not plain.
    """

    rows: int
    columns: tuple[str, ...]
    unusable: int
    faults: tuple[Fault, ...]
    notes: tuple[str, ...] = ()


def survey(source: Source) -> Survey:
    """Read the file once, to count and to check it before hours are spent on it.

    Raises:
        InputError: the file cannot be read, lacks a column, or has no row.
    """
    columns: dict[str, None] = {}
    rows, faults, broken = 0, [], 0
    notes: list[str] = []
    for row in unlabelled(source, notes.append):
        rows += 1
        columns.update(dict.fromkeys(row.cells))
        if row.fault is not None:
            broken += 1
            faults += [row.fault] if broken <= KEPT_FAULTS else []
    if not rows:
        raise unusable(source.path, "must hold at least one row", "none")
    if columns:
        check_columns(source.path, [*source.inputs, *(source.carried or ())], columns)
    return Survey(rows, tuple(columns), broken, tuple(faults), tuple(notes))


def unlabelled(source: Source, tell: Tell = unheard) -> Iterator[Unlabelled]:
    """All rows of the file in its order. tell: hears how the file was read where that is not plain.

    Raises:
        InputError: the file cannot be read or lacks a column.
    """
    names = None if source.carried is None else tuple(dict.fromkeys([*source.inputs, *source.carried]))
    for number, row in enumerate(file_rows(source.path, names, source.options, tell)):
        if row.fault is not None:
            yield Unlabelled(number, {}, fault=row.fault)
        else:
            yield _image(source, number, row) if source.image is not None else _text(source, number, row)


def _text(source: Source, number: int, row: Row) -> Unlabelled:
    cells = {name: cell_at(row.cells, name) for name in source.text}
    text = text_of(tuple(cells.values()))
    fault = None if text else Fault(f"{source.path}:{row.line}", *text_problem(cells))
    return Unlabelled(number, row.cells, text, fault=fault)


def _image(source: Source, number: int, row: Row) -> Unlabelled:
    """Pixels, or a file relative to the data file."""
    cell = cell_at(row.cells, source.image or "")
    if isinstance(cell, np.ndarray):
        return Unlabelled(number, row.cells, image=cell)
    path = image_folder(source.path) / label_of(cell)
    problem = check_image(path) if label_of(cell) else "none"
    rule = f"must name an image file in column {source.image!r}"
    fault = Fault(f"{source.path}:{row.line}", rule, f"{shown(cell)}: {problem}") if problem else None
    return Unlabelled(number, row.cells, image=path, fault=fault)


def chunks(rows: Iterator[Unlabelled], size: int) -> Iterator[list[Unlabelled]]:
    """The rows in lists of `size`, the last one shorter.

    >>> [len(chunk) for chunk in chunks(iter([Unlabelled(i, {}) for i in range(5)]), 2)]
    [2, 2, 1]
    """
    while chunk := list(islice(rows, size)):
        yield chunk


def as_examples(rows: Sequence[Unlabelled], labels: LabelSpace) -> Examples:
    """Usable rows as a task takes them; their true classes, scores and labels are zeros that nobody may read."""
    count = len(rows)
    images = [row.image for row in rows if row.image is not None]
    return Examples(
        rows=np.array([row.number for row in rows], dtype=np.int64),
        texts=tuple(row.text for row in rows),
        classes=np.zeros(count, dtype=np.int64),
        scores=np.zeros((count, len(labels.dimensions))) if labels.dimensions else None,
        labels=np.zeros((count, len(labels.classes)), dtype=np.bool_) if labels.multilabel else None,
        images=_images(images) if images else None,
    )


def _images(images: Sequence[Pixels | Path]) -> ArrayImages | FileImages:
    files = tuple(image for image in images if isinstance(image, Path))
    return FileImages(files) if files else ArrayImages(np.stack([i for i in images if not isinstance(i, Path)]))
