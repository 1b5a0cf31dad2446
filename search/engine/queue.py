"""Trials that are known beforehand, one after another."""

from collections import deque
from collections.abc import Sequence
from typing import Any

from ray.tune.search import Searcher

from rarecall.analysis.runs.run import TrialRecord
from rarecall.search.engine.searcher import TrialSource
from rarecall.trainables.training.request import TrialRequest


class QueueSearcher(TrialSource):
    """Suggests given trials one after another."""

    def __init__(self, trials: Sequence[TrialRequest]) -> None:
        super().__init__(metric="score", mode="max")
        self._left = deque(trials)

    def suggest(self, trial_id: str) -> Any:
        """The next trial, or `Searcher.FINISHED`."""
        return self._left.popleft().tune_config() if self._left else Searcher.FINISHED

    def finish(self, trial_id: str, record: TrialRecord) -> None:
        """Nothing is learned from how a trial ended."""

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Nor here."""
