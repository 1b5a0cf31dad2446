"""What a search is after: the objective among trials that meet the criteria."""

from collections.abc import Sequence
from dataclasses import dataclass

from rarecall.analysis.criteria.criterion import Criterion, parse
from rarecall.analysis.criteria.ranking import DEFAULT_OBJECTIVE


@dataclass(frozen=True)
class Goal:
    """Criteria, parsed once and passed on to all that judge trials, epochs and decision rules.

    second: a metric, or `seconds`, that is weighed against the objective; what is asked for then are the trials that no
    other one beats in both.
    """

    criteria: tuple[Criterion, ...] = ()
    objective: str = DEFAULT_OBJECTIVE
    second: str | None = None

    @classmethod
    def of(cls, criteria: Sequence[str], minority: Sequence[str] = (), objective: str = DEFAULT_OBJECTIVE) -> "Goal":
        """From criteria as they are written; `minority` are the classes that `[minority]` stands for.

        Raises:
            ValueError: a criterion that cannot be read.
        """
        return cls(tuple(parse(text, minority) for text in criteria), objective)
