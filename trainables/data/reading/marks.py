"""Labels that nobody named: the columns of a file that hold 0 and 1 and nothing else."""

from collections.abc import Sequence
from itertools import islice
from pathlib import Path

from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.files.formats import file_rows
from rarecall.trainables.data.files.options import FileOptions, Row
from rarecall.trainables.data.reading.cells import flag_of
from rarecall.trainables.tasks.config import TaskConfig

LOOKED_AT = 1000


def with_found_labels(
    task: TaskConfig, path: Path, data: DataConfig, options: FileOptions
) -> tuple[TaskConfig, list[str]]:
    """The section with the columns of marks as its labels where it leaves them open, and what the user should know.

    Raises:
        InputError: the file cannot be read.
    """
    if not task.finds_marks or task.names or data.label is not None:
        return task, []
    rows = [row for row in islice(file_rows(path, None, options), LOOKED_AT) if row.fault is None]
    split = data.split
    others = {*data.text, data.image, split.group, split.column, split.time, *data.slices}
    found = [name for name in _marked(rows) if name not in others]
    if len(found) < 2:
        return task, []
    return task.with_names(tuple(found)), [f"labels are the columns of 0 and 1: {', '.join(found)} (task.labels)"]


def _marked(rows: Sequence[Row]) -> list[str]:
    """Columns of which every row has a mark, in their order."""
    names = list(rows[0].cells) if rows else []
    return [name for name in names if all(flag_of(row.cells.get(name)) is not None for row in rows)]
