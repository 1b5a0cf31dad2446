"""Trials that are known beforehand, one after another."""

from collections import deque
from collections.abc import Sequence
from typing import Any, Protocol

from ray.tune.search import Searcher

from rarecall.analysis.runs.run import TrialRecord
from rarecall.search.engine.searcher import TrialSource
from rarecall.trainables.training.request import TrialRequest


class Choosy(Protocol):
    """Says which of the trials in a queue are still wanted."""

    def wanted(self, request: TrialRequest) -> bool:
        """Whether the trial is to be trained, by what has ended so far."""

    def ended(self) -> None:
        """A trial has ended, and stands in the ledger."""


class QueueSearcher(TrialSource):
    """Suggests given trials one after another; of those, where there is somebody `choosy`, the ones still wanted."""

    def __init__(self, trials: Sequence[TrialRequest], choosy: Choosy | None = None) -> None:
        super().__init__(metric="score", mode="max")
        self._left, self._choosy = deque(trials), choosy

    def suggest(self, trial_id: str) -> Any:
        """The next trial, or `Searcher.FINISHED`."""
        while self._left:
            request = self._left.popleft()
            if self._choosy is None or self._choosy.wanted(request):
                return request.tune_config()
        return Searcher.FINISHED

    def finish(self, trial_id: str, record: TrialRecord) -> None:
        """What is learned from how a trial ended: which of the others are still wanted."""
        if self._choosy is not None:
            self._choosy.ended()

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nothing is learned here."""
