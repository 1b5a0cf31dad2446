"""The race of the finalists while they are trained: which folds can still change the decision."""

from pathlib import Path

from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.finalists import race_of
from rarecall.analysis.runs.ranking.racing import Race
from rarecall.analysis.runs.run import Run
from rarecall.trainables.training.request import TrialRequest


class FoldsThatDecide:
    """Wants the folds of finalists that may still win, until one fold more would decide nothing.

    Slots that work side by side may be in the next round already when a finalist leaves; what they train is kept.
    """

    def __init__(self, searched: Run, ledger: Path) -> None:
        self._searched, self._ledger = searched, ledger
        self._race: Race | None = None

    def wanted(self, request: TrialRequest) -> bool:
        """Whether the fold is to be trained."""
        if self._race is None:
            self._race = race_of(self._searched, read_ledger(self._ledger))
        race = self._race
        return race is None or (not race.decided and request.params["finalist"] not in race.left)

    def ended(self) -> None:
        """The race has to be looked at anew."""
        self._race = None
