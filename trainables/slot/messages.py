"""What the workers of a slot tell its driver's side."""

from dataclasses import dataclass

from rarecall.analysis.runs.run import EpochRow


@dataclass(frozen=True)
class WorkerUp:
    """A worker is ready for its first trial. node: Ray's id of its node. pid: of its process there."""

    node: str
    pid: int


@dataclass(frozen=True)
class EpochReport:
    """One epoch of a trial, from rank 0 to the slot, Ray Tune, the recorder and, as its row, to the ledger.

    epoch: as the ledger keeps it; one that failed has no figures and is not kept. failure: why it failed, None where it
    did not. unwritten: whether it failed because the storage takes no files, which no other trial could help. last:
    whether the trial's schedule ends with it.
    """

    epoch: EpochRow
    failure: str | None = None
    unwritten: bool = False
    last: bool = False
