"""From data files to examples: text, class and scores of every usable row, and what is wrong with the others."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from analysis.errors import Fault, InputError
from analysis.predictions import FloatArray, IntArray
from trainables.cells import label_of, label_problem, number_of, number_problem, text_of, text_problem, unknown_label
from trainables.config import DataConfig, MulticlassConfig, TaskConfig, TieredScoresConfig
from trainables.examples import Examples
from trainables.records import Records, read_records
from trainables.tasks import TieredScores, build_task

SHOWN_FAULTS = 20


@dataclass(frozen=True)
class Reading:
    """All usable rows of the data files.

    examples: n rows, those of the first file first. classes: the names that `examples.classes` are indices of.
    files: [n] which of the paths each row came from. skipped: what is wrong with the rows left out, in file order; a
    row with several faults stands there several times.
    """

    examples: Examples
    classes: tuple[str, ...]
    files: IntArray
    skipped: tuple[Fault, ...]

    @property
    def skipped_rows(self) -> int:
        """Number of rows left out."""
        return len({fault.where for fault in self.skipped})


@dataclass
class _File:
    """n rows of one file: `labels` or `scores` [n, dimensions] as the task has it, and what is wrong by line."""

    path: Path
    lines: IntArray
    texts: list[str]
    labels: list[str]
    scores: FloatArray | None
    groups: list[str]
    faults: list[tuple[int, Fault]]

    def refuse(self, position: int, rule: str, value: str, remedy: str = "") -> None:
        line = int(self.lines[position])
        self.faults.append((line, Fault(f"{self.path}:{line}", rule, value, remedy)))

    def usable(self) -> IntArray:
        """Positions [m] of the rows without a fault."""
        return np.flatnonzero(~np.isin(self.lines, [line for line, _ in self.faults]))


def read_rows(paths: Mapping[str, Path], data: DataConfig, task: TaskConfig) -> Reading:
    """Read the files in `paths` (by role: path, or train, validation and test) as `data` and `task` describe them.

    Classes that the task does not name are those of the first file, sorted. With `data.on_bad_row: stop`, rows that
    cannot be used are an error; with `skip` they are left out and listed.

    Raises:
        InputError: files, columns or rows cannot be used (all faults together, rows up to 20), or the first file
            holds fewer than two classes.
    """
    files = _read_files(paths, data, task)
    classes = _class_names(task, files[0])
    if isinstance(task, MulticlassConfig):
        # Where the task names no classes, those of the first file are right by definition.
        _refuse_unknown_labels(files if task.classes else files[1:], classes)
    faults = [fault for file in files for _, fault in sorted(file.faults, key=lambda found: found[0])]
    if faults and data.on_bad_row == "stop":
        raise InputError(_source(paths), first_faults(faults))
    reading = _joined(files, task, classes, tuple(faults))
    _check_two_classes(reading, files[0].path)
    return reading


def first_faults(faults: Sequence[Fault]) -> list[Fault]:
    """The first 20 faults, and one more that says how many are left out."""
    shown = list(faults[:SHOWN_FAULTS])
    if len(faults) > SHOWN_FAULTS:
        shown.append(Fault("…", f"and {len(faults) - SHOWN_FAULTS:,} more"))
    return shown


def _source(paths: Mapping[str, Path]) -> str:
    return ", ".join(dict.fromkeys(map(str, paths.values())))


def _read_files(paths: Mapping[str, Path], data: DataConfig, task: TaskConfig) -> list[_File]:
    files: list[_File] = []
    faults: list[Fault] = []
    for path in paths.values():
        try:
            files.append(_read_file(path, data, task))
        except InputError as error:
            faults += error.faults
    if faults:
        raise InputError(_source(paths), faults)
    return files


def _read_file(path: Path, data: DataConfig, task: TaskConfig) -> _File:
    label = _label_column(data, task)
    dimensions = _score_columns(task)
    # Groups matter to a split made here only.
    group = data.split.group if data.path is not None else None
    optional = [name for name in (label, group) if name is not None]
    records = read_records(path, data.format, [*data.text, *dimensions, *optional])
    columns = records.columns
    file = _File(
        path=path,
        lines=np.array(records.lines, dtype=np.int64),
        texts=[text_of(cells) for cells in _across(records, data.text)],
        labels=[label_of(cell) for cell in columns[label]] if label else [],
        scores=_scores(records, dimensions),
        groups=[label_of(cell) for cell in columns[group]] if group else [],
        faults=records.broken,
    )
    _refuse_texts(file, records, data.text)
    if label is not None:
        _refuse_missing_labels(file, records, label)
    if isinstance(task, TieredScoresConfig):
        _refuse_scores(file, records, dimensions, task.range)
    return file


def _across(records: Records, names: Sequence[str]) -> list[tuple[object, ...]]:
    return list(zip(*(records.columns[name] for name in names), strict=True))


def _label_column(data: DataConfig, task: TaskConfig) -> str | None:
    if not isinstance(task, MulticlassConfig):
        return None
    if data.label is None:
        rule = "must name the column that holds the class, for a multiclass task"
        raise InputError("data.label", [Fault("data.label", rule, "nothing", "set data.label")])
    return data.label


def _score_columns(task: TaskConfig) -> list[str]:
    if not isinstance(task, TieredScoresConfig):
        return []
    return [dimension.column or name for name, dimension in task.dimensions.items()]


def _scores(records: Records, names: Sequence[str]) -> FloatArray | None:
    if not names:
        return None
    count = len(records.lines)
    numbers = [np.fromiter(map(number_of, records.columns[name]), np.float64, count) for name in names]
    return np.column_stack(numbers)


def _refuse_texts(file: _File, records: Records, names: Sequence[str]) -> None:
    for position in [i for i, text in enumerate(file.texts) if not text]:
        cells = {name: records.columns[name][position] for name in names}
        file.refuse(position, *text_problem(cells))


def _refuse_missing_labels(file: _File, records: Records, column: str) -> None:
    for position in [i for i, label in enumerate(file.labels) if not label]:
        file.refuse(position, *label_problem(column, records.columns[column][position]))


def _refuse_unknown_labels(files: Sequence[_File], classes: Sequence[str]) -> None:
    known = {"", *classes}
    for file in files:
        for position in [i for i, label in enumerate(file.labels) if label not in known]:
            file.refuse(position, *unknown_label(file.labels[position], classes))


def _refuse_scores(file: _File, records: Records, names: Sequence[str], bounds: tuple[float, float]) -> None:
    assert file.scores is not None
    low, high = bounds
    inside = (file.scores >= low) & (file.scores <= high)
    for position, dimension in np.argwhere(~inside).tolist():
        name = names[dimension]
        file.refuse(position, *number_problem(name, records.columns[name][position], bounds))


def _class_names(task: TaskConfig, first: _File) -> tuple[str, ...]:
    if isinstance(task, TieredScoresConfig):
        return tuple(task.tiers)
    return task.classes or tuple(sorted({first.labels[i] for i in first.usable()}))


def _joined(files: Sequence[_File], task: TaskConfig, classes: tuple[str, ...], skipped: tuple[Fault, ...]) -> Reading:
    kept = [file.usable() for file in files]
    count = sum(map(len, kept))
    scores = _joined_scores(files, kept)
    labels = _picked([file.labels for file in files], kept)
    groups = _picked([file.groups for file in files], kept)
    examples = Examples(
        rows=np.arange(count, dtype=np.int64),
        texts=_picked([file.texts for file in files], kept),
        classes=_class_indices(labels, scores, task, classes),
        scores=scores,
        groups=groups or None,
    )
    sources = np.repeat(np.arange(len(files), dtype=np.int64), [len(rows) for rows in kept])
    return Reading(examples, classes, sources, skipped)


def _picked(columns: Sequence[Sequence[str]], kept: Sequence[IntArray]) -> tuple[str, ...]:
    pairs = zip(columns, kept, strict=True)
    return tuple(column[i] for column, rows in pairs if column for i in rows.tolist())


def _joined_scores(files: Sequence[_File], kept: Sequence[IntArray]) -> FloatArray | None:
    parts = [file.scores[rows] for file, rows in zip(files, kept, strict=True) if file.scores is not None]
    return np.concatenate(parts) if parts else None


def _class_indices(
    labels: Sequence[str], scores: FloatArray | None, task: TaskConfig, classes: tuple[str, ...]
) -> IntArray:
    if scores is not None:
        cut = build_task(task, classes)
        assert isinstance(cut, TieredScores)
        return cut.tiers(scores)
    index = {name: i for i, name in enumerate(classes)}
    return np.array([index[label] for label in labels], dtype=np.int64)


def _check_two_classes(reading: Reading, first: Path) -> None:
    present = np.unique(reading.examples.classes[reading.files == 0])
    if len(present) >= 2:
        return
    found = f"only {reading.classes[int(present[0])]!r}" if len(present) else "no usable row"
    remedy = "check that the column holds the classes and that the cuts lie within the scores"
    raise InputError(str(first), [Fault(str(first), "must hold rows of at least two classes", found, remedy)])
