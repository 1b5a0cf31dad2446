"""The section `task` of an experiment, as every kind of task has one, and what the other parts ask of it."""

from typing import TYPE_CHECKING, ClassVar, Self

from rarecall.analysis.errors import Fault
from rarecall.trainables.section import Section
from rarecall.trainables.tasks.protocol import Target, Task
from rarecall.trainables.tasks.reading import LabelReading

# Classes for a task that is only asked what does not depend on them.
_ANY = ("one", "other")


class TaskSection(Section):
    """What a kind of task says of itself. Fields of a kind: `kind`, a literal, its own keys, and `minority`.

    has_scores: whether rows have scores, which schemes that weigh rows need. reads_label: whether `data.label` is read.
    finds_marks: whether columns of 0 and 1 are its labels where nothing else says which are.
    """

    has_scores: ClassVar[bool] = False
    reads_label: ClassVar[bool] = True
    finds_marks: ClassVar[bool] = False

    kind: str
    if TYPE_CHECKING:  # a field of each kind, which has it behind its own keys
        minority: tuple[str, ...] | None

    @property
    def names(self) -> tuple[str, ...]:
        """Classes, tiers, grades or labels in their order; empty where the section leaves them to the data."""
        raise NotImplementedError

    def with_names(self, classes: tuple[str, ...]) -> Self:
        """The section with these classes where it left them to the data."""
        return self

    def task(self, classes: tuple[str, ...]) -> Task:
        """The task; `classes` are those found in the data, used where the section names none."""
        raise NotImplementedError

    def reading(self, label: str | None, separator: str) -> LabelReading:
        """How rows say what is true of them. label, separator: `data.label` and `data.label_separator`.

        Raises:
            InputError: a column that is needed is not named.
        """
        raise NotImplementedError

    def fault_of(self, classes: tuple[str, ...]) -> Fault | None:
        """What is wrong with the section where the data turned out to have these classes."""
        return None

    @property
    def target(self) -> Target:
        """Which losses fit; the task itself says so."""
        return self.task(self.names or _ANY).target


def different(names: tuple[str, ...], what: str) -> None:
    """Refuse names that repeat, with a ValueError."""
    if len(set(names)) < len(names):
        raise ValueError(f"{what} must not repeat")


def known_minority(minority: tuple[str, ...] | None, classes: tuple[str, ...]) -> None:
    """Refuse a minority that names none, all, or others than these classes, with a ValueError."""
    unknown = [name for name in minority or () if name not in classes]
    if unknown:
        raise ValueError(f"minority names {unknown}, which are not among {list(classes)}")
    if minority is not None and not 0 < len(minority) < len(classes):
        raise ValueError("minority must name at least one class and not all of them")
