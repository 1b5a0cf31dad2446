"""The exceptions a user can cause, and how their faults read.

RarecallError
├── InputError      what the user gave cannot be used: an experiment, a data file, an argument (exit code 2)
└── RunError        a run folder cannot be used as asked: damaged, locked, changed data (exit code 2)
"""

from collections.abc import Sequence
from dataclasses import dataclass

from rarecall.analysis.visible import visible


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, told so that it can be mended.

    where: key path or file:line; rule: what is required; value: what was received, as it should be shown;
    remedy: what to do, empty where the rule says it all.
    """

    where: str
    rule: str
    value: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        received = f", got {self.value}" if self.value else ""
        remedy = f" ({self.remedy})" if self.remedy else ""
        return visible(f"{self.where}: {self.rule}{received}{remedy}")


class RarecallError(Exception):
    """Base of everything rarecall raises on purpose."""

    exit_code = 2


class InputError(RarecallError):
    """All faults of one input together.

    >>> print(InputError("experiment.yaml", [Fault("model.lora.rank", "must be at least 1", "0")]))
    experiment.yaml: 1 fault
      model.lora.rank: must be at least 1, got 0
    """

    def __init__(self, source: str, faults: Sequence[Fault]) -> None:
        self.source = source
        self.faults = tuple(faults)
        count = f"{len(self.faults)} fault{'s' if len(self.faults) != 1 else ''}"
        super().__init__("\n".join([visible(f"{source}: {count}"), *(f"  {fault}" for fault in self.faults)]))

    def __reduce__(self) -> tuple[type["InputError"], tuple[str, tuple[Fault, ...]]]:
        # Otherwise one that another process raises cannot be told here.
        return type(self), (self.source, self.faults)


class RunError(RarecallError):
    """A run folder cannot be used as asked."""


def first_line(error: BaseException) -> str:
    """What an error says, without what follows its first line."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
