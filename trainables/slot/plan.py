"""What all slots of a search share, and how they end."""

from dataclasses import dataclass
from typing import Any, Literal

from rarecall.analysis.predictions.label_space import LabelSpace

CHECKPOINTS_FOLDER = "checkpoints"
PREDICTIONS_FILE = "predictions.parquet"


@dataclass(frozen=True)
class SlotPlan:
    """What all slots of a search share.

    work: object reference to (open_session, data), which only the workers fetch. run_folder: absolute path or URI;
    checkpoints go below it.
    workers: processes per slot; cpus, gpus: of each. criteria, objective: make the score that schedulers compare.
    epoch_timeout: seconds after which a slot that does not answer is given up; `auto`: 20 times its longest epoch so
    far, at least 10 minutes; None: never.
    """

    work: Any
    labels: LabelSpace
    run_folder: str
    workers: int = 1
    cpus: float = 1
    gpus: float = 0
    criteria: tuple[str, ...] = ()
    objective: str = "minority_recall"
    epoch_timeout: float | Literal["auto"] | None = "auto"


class SlotDiedError(RuntimeError):
    """The worker group ended, or no longer answers, while a trial was waiting for it."""


class SlotStartError(SlotDiedError):
    """The worker group ended before it could take a trial."""


class CheckpointUnwrittenError(RuntimeError):
    """An epoch's checkpoint could not be written, for want of space most of all; no trial would fare better."""
