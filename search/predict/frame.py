"""An exported model on rows in memory."""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.errors import InputError
from rarecall.analysis.evaluation.evaluation import Evaluation, evaluated
from rarecall.search.experiment.frames import as_table
from rarecall.search.predict.command import BATCH_ROWS, CHUNK_ROWS, read_experiment
from rarecall.search.predict.engine import LocalEngine
from rarecall.search.predict.finishing import open_finishing
from rarecall.search.predict.labelled import labelled_by
from rarecall.search.predict.table import ERROR, ROW, table_columns, table_schema
from rarecall.trainables.data.reading.unlabelled import Source, chunks, survey, unlabelled
from rarecall.trainables.exported.predictor import Predictor, open_predictor


class FramePredictor:
    """A loaded export that answers for frames what `rarecall predict` answers for files."""

    def __init__(self, folder: Path, batch_size: int = BATCH_ROWS) -> None:
        self.folder, self.experiment = folder, read_experiment(folder)
        self._predictor: Predictor = open_predictor(folder, self.experiment, batch_size)
        self._finishing = open_finishing(folder, self._predictor.task)

    @property
    def task(self) -> Any:
        return self._predictor.task

    def table(
        self, rows: Any, prevalence: Mapping[str, float] | None = None, abstain: Sequence[str] = ()
    ) -> pd.DataFrame:
        """The columns of `rarecall predict` for each row, with the index of a DataFrame.

        rows: as `as_table` takes them, or a list of texts. prevalence: shares of classes where the rows come from.
        abstain: wanted recalls, such as `recall[threat] >= 0.95`.

        Raises:
            InputError: a column is missing, a row has no text, or a share or recall cannot be.
        """
        finishing = self._finishing
        if prevalence or abstain:
            stated = [f"{name}={share}" for name, share in (prevalence or {}).items()]
            finishing = open_finishing(self.folder, self.task, stated, abstain)
        data = self.experiment.data
        with _as_file(_with_texts(rows, data.text), data.image) as path:
            source = Source(path, data.text, data.image)
            found = survey(source)
            if found.unusable:
                raise InputError("rows", list(found.faults))
            schema = table_schema(self.task, source, (), errors=False, review=bool(finishing.bands))
            columns: dict[str, list[Any]] = {name: [] for name in schema.names}
            engine = LocalEngine(self._predictor)
            for part, predictions in engine.predicted(chunks(unlabelled(source), CHUNK_ROWS), lambda rows: None):
                told, review = finishing.both(predictions)
                for name, values in table_columns(part, told, self.task, (), review).items():
                    columns.get(name, []).extend(values)
        index = rows.index if isinstance(rows, pd.DataFrame | pd.Series) else None
        return pd.DataFrame(columns, index=index).drop(columns=[ROW, ERROR], errors="ignore")

    def judged(self, rows: Any) -> Evaluation:
        """What the model is worth on labelled rows, by the criteria of its experiment.

        Raises:
            InputError: rows cannot be used.
        """
        with _as_file(rows, self.experiment.data.image) as path:
            predictions, labels = labelled_by(self._predictor, self.experiment, self.folder, path)
        criteria = tuple(parse(text, labels.minority) for text in self.experiment.criteria)
        return evaluated(str(self.folder), predictions, labels, criteria)


def _with_texts(rows: Any, text: tuple[str, ...]) -> Any:
    """Texts alone as rows with their one column."""
    if isinstance(rows, pd.Series):
        rows = rows.tolist()
    if isinstance(rows, list) and rows and all(isinstance(row, str) for row in rows):
        return [dict.fromkeys(text, None) | {text[0]: row} for row in rows]
    return rows


@contextmanager
def _as_file(rows: Any, image: str | None) -> Iterator[Path]:
    """The rows as a file that is gone afterwards; names of image files then count from the working directory."""
    table = as_table(rows, "rows")
    if image is not None and image in table.column_names:
        frame = table.to_pandas()
        frame[image] = [str(Path(name).resolve()) for name in frame[image]]
        table = as_table(frame, "rows")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.parquet")
        pyarrow.parquet.write_table(table, path)
        yield path
