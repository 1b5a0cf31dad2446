"""Predicts the rows of a file chunk by chunk in this process; `search/predict/ray_engine.py` does so on a cluster."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Protocol, TypeVar

from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.data.reading.unlabelled import Unlabelled, as_examples
from rarecall.trainables.exported.predictor import Predictor

Rows = list[Unlabelled]
Tell = Callable[[int], None]
Item = TypeVar("Item")


class Engine(Protocol):
    """Chunks of rows in, the same chunks with the predictions of their usable rows out, in the same order."""

    def predicted(self, chunks: Iterator[Rows], tell: Tell) -> Iterator[tuple[Rows, Predictions | None]]:
        """`tell` hears how many usable rows more are done. None stands for a chunk without usable rows."""
        ...


@dataclass(frozen=True)
class LocalEngine:
    """The model in this process; the next chunk is read and encoded while one is predicted."""

    predictor: Predictor

    def predicted(self, chunks: Iterator[Rows], tell: Tell) -> Iterator[tuple[Rows, Predictions | None]]:
        for rows, split in ahead(self._encoded(chunks)):
            yield rows, self.predictor.predictions(split, tell) if split is not None else None

    def _encoded(self, chunks: Iterator[Rows]) -> Iterator[tuple[Rows, EncodedSplit | None]]:
        for rows in chunks:
            usable = usable_rows(rows)
            examples = as_examples(usable, self.predictor.task.label_space)
            yield rows, self.predictor.encode(examples) if usable else None


def usable_rows(rows: Rows) -> Rows:
    """The rows that a model can say something about."""
    return [row for row in rows if row.fault is None]


def ahead(items: Iterator[Item]) -> Iterator[Item]:
    """The same items; each is made in a thread of its own while the one before is worked on."""
    with ThreadPoolExecutor(1) as thread:
        upcoming = thread.submit(next, items, None)
        while (item := upcoming.result()) is not None:
            upcoming = thread.submit(next, items, None)
            yield item
