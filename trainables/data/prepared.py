"""The data of an experiment after they were read and divided: as texts or images, and encoded for trials."""

from dataclasses import dataclass, replace

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.errors import Fault
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.tasks import Task

SHOWN_RAREST = 3


@dataclass(frozen=True)
class LabelledSplits:
    """The data of an experiment as texts or images.

    test: None without a test split. data_hash: SHA-256 of the rows, how they are divided and the task. class_counts:
    rows by split and class. notes: what the user should know. skipped: what is wrong with rows left out. file_hash: as
    `data_hash`, of the files instead of the rows, which ledgers of earlier versions have.
    """

    task: Task
    train: Examples
    validation: Examples
    test: Examples | None
    data_hash: str
    class_counts: dict[str, dict[str, int]]
    notes: tuple[str, ...]
    skipped: tuple[Fault, ...]
    file_hash: str = ""

    def is_that_of(self, data_hash: object) -> bool:
        """Whether a ledger with this hash is of the same data."""
        return _same(self, data_hash)


@dataclass(frozen=True)
class PreparedData:
    """The data of an experiment as trials use them. Test texts stay as they are until there is a winner.

    pad_id: token id that fills up short rows. folds: positions among the rows of `train` and `validation`, one after
    the other, that are training and validation where the rows are divided anew; see `trainables.data.folds`. The rest
    is as in `LabelledSplits`.
    """

    task: Task
    train: EncodedSplit
    validation: EncodedSplit
    test: Examples | None
    pad_id: int
    data_hash: str
    class_counts: dict[str, dict[str, int]]
    notes: tuple[str, ...]
    skipped: tuple[Fault, ...]
    folds: tuple[tuple[IntArray, IntArray], ...] = ()
    file_hash: str = ""

    def is_that_of(self, data_hash: object) -> bool:
        """Whether a ledger with this hash is of the same data."""
        return _same(self, data_hash)

    @property
    def nbytes(self) -> int:
        """Memory of the arrays that trials share."""
        return self.train.nbytes + self.validation.nbytes

    def for_trials(self) -> "PreparedData":
        """The same without what no trial may see or needs."""
        return replace(self, test=None, notes=(), skipped=())

    def rarest(self, limit: int = SHOWN_RAREST) -> tuple[str, ...]:
        """Minority classes with the fewest training rows, the rarest first."""
        counts = self.class_counts["train"]
        return tuple(sorted(self.task.label_space.minority, key=lambda name: counts[name])[:limit])


def _same(data: LabelledSplits | PreparedData, data_hash: object) -> bool:
    return data_hash in (data.data_hash, data.file_hash or data.data_hash)
