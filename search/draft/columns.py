"""Which columns of a file are the text and the label, and what kind of task the label makes."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from rarecall.search.draft.looks import ColumnLook, FileLook
from rarecall.trainables.data.files.options import unusable
from rarecall.trainables.data.reading.cells import flag_of

# Names that label columns have, the likeliest first.
LABEL_NAMES = ("label", "labels", "class", "target", "category", "tags", "y")
TEXT_NAMES = ("text", "body", "content", "message", "sentence", "comment", "tweet", "description", "title")
# A text is longer than a name in the mean.
LEAST_TEXT = 12
# Whole numbers of at most so many values are grades; more, or broken ones, are scores.
MOST_GRADES, MOST_CLASSES = 10, 200
SEPARATOR = "|"
# Share of cells with a separator from which they are several labels.
SHARE_OF_SEVERAL = 0.02

Kind = Literal["multiclass", "multilabel", "ordinal", "tiered_scores"]


@dataclass(frozen=True)
class Choice:
    """text: columns that are joined. label: the column, or several of 0 and 1. kind: of the task. counts: rows of each
    class or label, the commonest first; empty for scores.
    """

    text: tuple[str, ...]
    label: tuple[str, ...]
    kind: Kind
    counts: dict[str, int]


def choose(path: Path, seen: FileLook, text: Sequence[str], label: Sequence[str]) -> Choice:
    """The columns, those that are given as they are.

    Raises:
        InputError: a column that there is not, or none that could be the text or the label.
    """
    for option, names in (("--text", text), ("--label", label)):
        for name in names:
            if name not in seen.columns:
                raise unusable(path, f"{option} must name a column", repr(name), f"there are {_listed(seen)}")
    labels = tuple(label) or _label(path, seen, text)
    texts = tuple(text) or _text(path, seen, labels)
    return _task(path, seen, texts, labels)


def _label(path: Path, seen: FileLook, text: Sequence[str]) -> tuple[str, ...]:
    rest = [column for name, column in seen.columns.items() if name not in text]
    named = [column for name in LABEL_NAMES for column in rest if column.name.lower().rpartition(".")[2] == name]
    found = next((column for column in named if _repeats(column)), None)
    # Without such a name, the column with the fewest values, of those that come again and again.
    found = found or min((one for one in rest if _repeats(one) and not one.lists), key=_values, default=None)
    if found is None:
        raise unusable(path, "must have a column of labels, whose values come again", "none", "name it with --label")
    return (found.name,)


def _values(column: ColumnLook) -> int:
    return len(column.values)


def _repeats(column: ColumnLook) -> bool:
    if column.lists:
        return column.lists > column.filled // 2
    return not column.many and 2 <= len(column.values) <= max(2, column.filled // 3)


def _text(path: Path, seen: FileLook, label: Sequence[str]) -> tuple[str, ...]:
    rest = [
        column
        for name, column in seen.columns.items()
        if name not in label and column.texts > column.filled // 2 and column.mean_length >= LEAST_TEXT
    ]
    named = [column for name in TEXT_NAMES for column in rest if column.name.lower().rpartition(".")[2] == name]
    found = named[0] if named else max(rest, key=lambda column: column.mean_length, default=None)
    if found is None:
        raise unusable(path, "must have a column of texts", "none that is longer than a name", "name it with --text")
    return (found.name,)


def _task(path: Path, seen: FileLook, text: tuple[str, ...], label: tuple[str, ...]) -> Choice:
    if len(label) > 1:
        return Choice(text, label, "multilabel", _sorted(Counter({name: _marks(seen, name) for name in label})))
    column = seen.columns[label[0]]
    separated = sum(count for value, count in column.values.items() if SEPARATOR in value)
    if column.lists > column.filled // 2 or separated > SHARE_OF_SEVERAL * column.filled:
        return Choice(text, label, "multilabel", _labels(path, column))
    if column.numeric and (column.many or len(column.values) > MOST_GRADES):
        return Choice(text, label, "tiered_scores", {})
    if column.many or len(column.values) > MOST_CLASSES:
        rule = f"column {column.name!r} must hold at most {MOST_CLASSES} classes"
        raise unusable(path, rule, "more" if column.many else str(len(column.values)), "name another one with --label")
    if len(column.values) < 2:
        found = ", ".join(map(repr, column.values)) or "none"
        raise unusable(
            path, f"column {column.name!r} must hold at least two classes", found, "--label names another one"
        )
    return Choice(text, label, "ordinal" if _grades(column) else "multiclass", _sorted(column.values))


def _labels(path: Path, column: ColumnLook) -> dict[str, int]:
    if column.lists and set(column.values) <= {"0", "1"}:
        rule, remedy = f"column {column.name!r} must name its labels", "write task.labels by hand: its lists are marks"
        raise unusable(path, rule, "lists of 0 and 1", remedy)
    counts: Counter[str] = Counter()
    for value, count in column.values.items():
        for name in value.split(SEPARATOR):
            if name.strip():
                counts[name.strip()] += count
    return _sorted(counts)


def _grades(column: ColumnLook) -> bool:
    """Whether the values are 0, 1, 2, … or 1, 2, 3, …, three at least."""
    if not column.numeric or len(column.values) < 3 or column.lowest not in (0, 1):
        return False
    return sorted(column.values) == sorted(str(int(column.lowest) + step) for step in range(len(column.values)))


def _marks(seen: FileLook, name: str) -> int:
    return sum(count for value, count in seen.columns[name].values.items() if flag_of(value))


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _listed(seen: FileLook) -> str:
    return ", ".join(map(repr, seen.columns))
