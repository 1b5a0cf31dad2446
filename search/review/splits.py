"""The splits of a run as files, so that any other model can be compared on the same rows."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.run import Run
from rarecall.analysis.strict_json import dumps
from rarecall.search.review.data import run_data
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.files.formats import file_rows
from rarecall.trainables.data.reading.locations import data_files, label_names
from rarecall.trainables.data.reading.reader import file_options, read_rows

ROW, TRUE = "row", "true"
PREFIX = "rarecall_"

Cells = Mapping[str, Any]


def write_splits(run: Run, folder: Path) -> dict[str, int]:
    """Write `train.jsonl`, `validation.jsonl` and `test.jsonl`, those that there are; the rows of each.

    Each line has the row number, as stored predictions have it, the true class where a row has one, and the columns of
    the data file. A column of the file that bears one of our names keeps it, ours then begins with `rarecall_`.

    Raises:
        RunError: the folder is there already, or the data have changed since the run.
        InputError: the experiment or the data cannot be read.
    """
    if folder.exists():
        raise RunError(f"{folder}: exists already; remove it or name another folder with -o")
    config, base, data = run_data(run, "so its splits cannot be made again")
    originals = _originals(config, base)
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    held = {name: part for name, part in parts.items() if part is not None}
    folder.mkdir(parents=True)
    for name, part in held.items():
        lines = (dumps(row) + "\n" for row in _rows(part, originals, run.labels.classes))
        (folder / f"{name}.jsonl").write_text("".join(lines), encoding="utf-8")
    return {name: len(part) for name, part in held.items()}


def _originals(config: TrialConfig, base: Path) -> dict[int, Cells]:
    """The columns of the data files by row number."""
    paths = data_files(config.data, base)
    reading = read_rows(paths, config.data, config.task, label_names(config.data, base))
    places = {place: row for row, place in enumerate(zip(reading.files.tolist(), reading.lines.tolist(), strict=True))}
    files = [path for several in paths.values() for path in several]
    streams = (file_rows(path, options=file_options(config.data)) for path in files)
    found = ((places.get((number, row.line)), row.cells) for number, rows in enumerate(streams) for row in rows)
    return {row: cells for row, cells in found if row is not None}


def _rows(part: Examples, originals: Mapping[int, Cells], classes: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    for place, row in enumerate(part.rows.tolist()):
        cells = {name: _plain(cell) for name, cell in originals[row].items() if not isinstance(cell, np.ndarray)}
        ours: dict[str, Any] = {ROW: row}
        if part.labels is None:
            ours[TRUE] = classes[part.classes[place]]
        yield {PREFIX + name if name in cells else name: value for name, value in ours.items()} | cells


def _plain(cell: Any) -> Any:
    """Dates of a Parquet file have no place in JSON; all else has."""
    return cell.isoformat() if isinstance(cell, date | datetime) else cell
