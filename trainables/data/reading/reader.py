"""From data files to examples: text or image, labels and scores of every usable row, and what ails the others."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import numpy as np

from rarecall.analysis.arrays import BoolArray, FloatArray, IntArray, NameArray
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.predictions.label_names import label_of
from rarecall.analysis.predictions.predictions import rarest_label
from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.files.arrays import Column
from rarecall.trainables.data.files.options import FileOptions
from rarecall.trainables.data.images import ArrayImages, FileImages, Images, check_image, image_folder, joined
from rarecall.trainables.data.reading.cells import (
    shown,
    text_of,
    text_problem,
    time_of,
    unknown_label,
)
from rarecall.trainables.data.reading.marks import with_found_labels
from rarecall.trainables.data.reading.meaning import settle_labels
from rarecall.trainables.data.reading.records import Records, read_records
from rarecall.trainables.tasks import build_task, keyword_rules
from rarecall.trainables.tasks.config import TaskConfig
from rarecall.trainables.tasks.keywords import marked

Item = TypeVar("Item")

SHOWN_FAULTS = 20
SPLITS = ("train", "validation", "test")
_SPLIT_NAMES = {name: i for i, name in enumerate(SPLITS)} | {
    "training": 0,
    "valid": 1,
    "val": 1,
    "dev": 1,
    "testing": 2,
}


@dataclass(frozen=True)
class Reading:
    """All usable rows of the data files.

    examples: n rows, those of the first file first. classes: the names that `examples.classes` are indices of.
    files: [n] which of all files each row came from. roles: [n] which of the roles that file has. skipped: what is
    wrong with the rows left out, in file order; a row with several faults stands there several times. lines: [n] where
    each row begins in its file, as in `Records`. notes: how files were read, and which labels look alike.
    parts: [n] which of `SPLITS` each row is of, where a column says so. times: [n] where a column holds them.
    """

    examples: Examples
    classes: tuple[str, ...]
    files: IntArray
    skipped: tuple[Fault, ...]
    lines: IntArray
    roles: IntArray
    notes: tuple[str, ...] = ()
    parts: IntArray | None = None
    times: FloatArray | None = None

    @property
    def skipped_rows(self) -> int:
        """Number of rows left out."""
        return len({fault.where for fault in self.skipped})


@dataclass
class _File:
    """n rows of one file, and what is wrong by line.

    labels: n classes or sets of labels, as the task has it. several: whether a row may have several. scores: [n,
    dimensions]. texts: what images are told apart by, where there are images. slices: n values by column.
    """

    path: Path
    lines: IntArray
    texts: list[str]
    labels: list[tuple[str, ...]]
    several: bool
    scores: FloatArray | None
    groups: list[str]
    slices: dict[str, list[str]]
    images: Images | None
    faults: list[tuple[int, Fault]]
    notes: list[str]
    parts: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def refuse(self, position: int, rule: str, value: str, remedy: str = "") -> None:
        line = int(self.lines[position])
        self.faults.append((line, Fault(f"{self.path}:{line}", rule, value, remedy)))

    def usable(self) -> IntArray:
        """Positions [m] of the rows without a fault."""
        return np.flatnonzero(~np.isin(self.lines, [line for line, _ in self.faults]))


def read_rows(
    paths: Mapping[str, Path | Sequence[Path]],
    data: DataConfig,
    task: TaskConfig,
    names: Mapping[str, str] | None = None,
) -> Reading:
    """Read the files in `paths` (by role: path, or train, validation and test) as `data` and `task` describe them.

    names: what labels of the files stand for, as numbers do for the lines of `data.label_names`.

    Classes that the task does not name are those of the first role's files, sorted. With `data.on_bad_row: stop`, rows
    that cannot be used are an error; with `skip` they are left out and listed.

    Raises:
        InputError: files, columns or rows cannot be used (all faults together, rows up to 20), or the first role's
            files hold fewer than two classes.
    """
    listed = [(role, path) for role, one in paths.items() for path in ([one] if isinstance(one, Path) else one)]
    sources = [path for _, path in listed]
    task, told = with_found_labels(task, sources[0], data, file_options(data))
    files = _read_files(sources, data, task)
    roles = [list(paths).index(role) for role, _ in listed]
    first = [file for file, role in zip(files, roles, strict=True) if role == 0]
    notes = told + [note for file in files for note in file.notes]
    notes += settle_labels(files, task.names, data.merge_alike, names or {})
    classes = _class_names(task, first)
    # Where the task names no classes, those of the first role are right by definition.
    _refuse_unknown_labels(files if task.names else files[len(first) :], classes)
    faults = [fault for file in files for _, fault in sorted(file.faults, key=lambda found: found[0])]
    if faults and data.on_bad_row == "stop":
        raise InputError(_source(sources), first_faults(faults))
    reading = replace(_joined(files, roles, task, classes, tuple(faults)), notes=tuple(dict.fromkeys(notes)))
    _check_two_classes(reading, sources[0])
    return reading


def first_faults(faults: Sequence[Fault]) -> list[Fault]:
    """The first 20 faults, and one more that says how many are left out."""
    shown = list(faults[:SHOWN_FAULTS])
    if len(faults) > SHOWN_FAULTS:
        shown.append(Fault("…", f"and {len(faults) - SHOWN_FAULTS:,} more"))
    return shown


def file_options(data: DataConfig) -> FileOptions:
    """How the data section says that files are read."""
    return FileOptions(data.format, data.delimiter, data.encoding, data.quoting, data.columns)


def _source(paths: Sequence[Path]) -> str:
    return ", ".join(dict.fromkeys(map(str, paths)))


def _read_files(paths: Sequence[Path], data: DataConfig, task: TaskConfig) -> list[_File]:
    files: list[_File] = []
    faults: list[Fault] = []
    for path in paths:
        try:
            files.append(_read_file(path, data, task))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(_source(paths), faults)
    return files


def _read_file(path: Path, data: DataConfig, task: TaskConfig) -> _File:
    reading = task.reading(data.label, data.label_separator)
    group = data.split.group
    divides = data.split.column or data.split.time
    optional = [name for name in (group, divides, *data.slices) if name is not None]
    inputs = data.text if data.image is None else (data.image,)
    records = read_records(path, [*inputs, *reading.columns, *optional], file_options(data))
    columns = records.columns
    file = _File(
        path=path,
        lines=np.array(records.lines, dtype=np.int64),
        texts=[],
        labels=[],
        several=reading.several,
        scores=None,
        groups=[label_of(cell) for cell in columns[group]] if group else [],
        slices={name: [label_of(cell) for cell in columns[name]] for name in data.slices},
        images=None,
        faults=records.broken,
        notes=records.notes,
    )
    if data.image is not None:
        _take_images(file, records, data.image)
    else:
        file.texts = [text_of(cells) for cells in _across(records, data.text)]
        _refuse_texts(file, records, data.text)
    if data.split.column is not None:
        file.parts = _parts(file, columns[data.split.column], data.split.column)
    if data.split.time is not None:
        file.times = _times(file, columns[data.split.time], data.split.time)
    truth = reading.read({name: columns[name] for name in reading.columns}, file.refuse)
    file.labels, file.scores = truth.names, truth.scores
    return file


def _parts(file: _File, cells: Column, column: str) -> list[int]:
    """Index into `SPLITS` of each row."""
    parts = [_SPLIT_NAMES.get(label_of(cell).lower(), -1) for cell in cells]
    for position in [i for i, part in enumerate(parts) if part < 0]:
        file.refuse(position, f"column {column!r} must say train, validation or test", shown(cells[position]))
    return parts


def _times(file: _File, cells: Column, column: str) -> list[float]:
    """Seconds since 1970, or the numbers themselves."""
    times = [time_of(cell) for cell in cells]
    for position in [i for i, time in enumerate(times) if math.isnan(time)]:
        rule = f"column {column!r} must hold a number, or a date as ISO 8601 has it"
        file.refuse(position, rule, shown(cells[position]))
    return times


def _take_images(file: _File, records: Records, column: str) -> None:
    """Put the images of a column, an array or file names relative to the data file, into the file."""
    cells = records.columns[column]
    if isinstance(cells, np.ndarray):
        file.images = ArrayImages(cells)
        file.texts = [file.images.digest(i) for i in range(len(cells))]
        return
    paths = [image_folder(file.path) / label_of(cell) for cell in cells]
    file.images = FileImages(tuple(paths))
    for position, cell in enumerate(cells):
        problem = check_image(paths[position]) if label_of(cell) else "none"
        file.texts.append("" if problem else file.images.digest(position))
        if problem:
            file.refuse(position, f"must name an image file in column {column!r}", f"{shown(cell)}: {problem}")


def _across(records: Records, names: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(records.columns[name] for name in names), strict=True))


def _refuse_texts(file: _File, records: Records, names: Sequence[str]) -> None:
    for position in [i for i, text in enumerate(file.texts) if not text]:
        cells = {name: records.columns[name][position] for name in names}
        file.refuse(position, *text_problem(cells))


def _refuse_unknown_labels(files: Sequence[_File], classes: Sequence[str]) -> None:
    known = set(classes)
    for file in files:
        for position, labels in enumerate(file.labels):
            for label in labels:
                if label not in known:
                    file.refuse(position, *unknown_label(label, classes))


def _class_names(task: TaskConfig, first: Sequence[_File]) -> tuple[str, ...]:
    found = task.names or tuple(sorted({label for file in first for i in file.usable() for label in file.labels[i]}))
    if fault := task.fault_of(found):
        raise InputError(fault.where, [fault])
    return found


def _joined(
    files: Sequence[_File], roles: Sequence[int], task: TaskConfig, classes: tuple[str, ...], skipped: tuple[Fault, ...]
) -> Reading:
    kept = [file.usable() for file in files]
    count = sum(map(len, kept))
    scores = _joined_scores(files, kept)
    label_sets = _picked([file.labels for file in files], kept)
    labels = _indicators(label_sets, classes) if files[0].several else None
    groups = _picked([file.groups for file in files], kept)
    images = [(file.images, rows) for file, rows in zip(files, kept, strict=True) if file.images is not None]
    examples = Examples(
        rows=np.arange(count, dtype=np.int64),
        texts=_picked([file.texts for file in files], kept),
        classes=rarest_label(labels) if labels is not None else _class_indices(label_sets, classes),
        scores=scores,
        groups=groups or None,
        labels=labels,
        slices=_joined_slices(files, kept),
        images=joined(images) if images else None,
    )
    sources = np.repeat(np.arange(len(files), dtype=np.int64), [len(rows) for rows in kept])
    lines = np.concatenate([file.lines[rows] for file, rows in zip(files, kept, strict=True)])
    marks = marked(examples, keyword_rules(build_task(task, classes)))
    parts, times = _picked([file.parts for file in files], kept), _picked([file.times for file in files], kept)
    return Reading(
        examples=marks,
        classes=classes,
        files=sources,
        skipped=skipped,
        lines=lines,
        roles=np.array(roles, dtype=np.int64)[sources],
        parts=np.array(parts, dtype=np.int64) if parts else None,
        times=np.array(times, dtype=np.float64) if times else None,
    )


def _indicators(label_sets: Sequence[tuple[str, ...]], classes: tuple[str, ...]) -> BoolArray:
    """Whether each row has each label [n, labels]."""
    index = {name: i for i, name in enumerate(classes)}
    labels = np.zeros((len(label_sets), len(classes)), dtype=np.bool_)
    for row, names in enumerate(label_sets):
        labels[row, [index[name] for name in names]] = True
    return labels


def _joined_slices(files: Sequence[_File], kept: Sequence[IntArray]) -> dict[str, NameArray]:
    return {
        name: np.array(_picked([file.slices[name] for file in files], kept), dtype=object) for name in files[0].slices
    }


def _picked(columns: Sequence[Sequence[Item]], kept: Sequence[IntArray]) -> tuple[Item, ...]:
    pairs = zip(columns, kept, strict=True)
    return tuple(column[i] for column, rows in pairs if column for i in rows.tolist())


def _joined_scores(files: Sequence[_File], kept: Sequence[IntArray]) -> FloatArray | None:
    parts = [file.scores[rows] for file, rows in zip(files, kept, strict=True) if file.scores is not None]
    return np.concatenate(parts) if parts else None


def _class_indices(label_sets: Sequence[tuple[str, ...]], classes: tuple[str, ...]) -> IntArray:
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[label] for (label,) in label_sets], dtype=np.int64)


def _check_two_classes(reading: Reading, first: Path) -> None:
    rows = reading.examples.take(np.flatnonzero(reading.roles == 0)).class_rows(len(reading.classes))
    present = np.flatnonzero(rows)
    if len(present) >= 2:
        return
    found = f"only {reading.classes[int(present[0])]!r}" if len(present) else "no usable row"
    remedy = "check that the column holds the classes and that the cuts lie within the scores"
    raise InputError(str(first), [Fault(str(first), "must hold rows of at least two classes", found, remedy)])
