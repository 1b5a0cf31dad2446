"""Ray Tune's side of a slot: a class trainable that takes one trial after another."""

import json
import math
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Literal

from ray import tune

from rarecall.analysis.criteria.ranking import score
from rarecall.analysis.plugins.loading import install
from rarecall.analysis.runs.run import EpochRow
from rarecall.trainables.slot.group import WorkerGroup
from rarecall.trainables.slot.messages import EpochReport
from rarecall.trainables.slot.plan import SlotPlan
from rarecall.trainables.training.request import ResumePoint, request_of

# An epoch that takes this many times the slot's longest so far, and at least so long, is not expected to end.
LIMIT_FACTOR, LEAST_LIMIT_SECONDS = 20, 600.0
# What Ray Tune compares, of a trial that failed.
WORST_SCORE = -1e6
# Under which Ray Tune hands the report of an epoch on.
REPORT = "report"
POINTER_FILE = "pointer.json"


class Slot(tune.Trainable):
    """Ray Tune's view of a worker group: `step` is one epoch, `reset_config` hands over the next trial."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Next to nothing, but Tune insists on something: a hundredth of a CPU would leave 2 CPUs room for one slot."""
        return tune.PlacementGroupFactory([{"memory": 1}])

    def setup(self, config: dict[str, Any], plan: SlotPlan) -> None:  # type: ignore[override]  # from with_parameters
        install(plan.plugins)
        self._plan = plan
        self._longest: float | None = None
        self._group = WorkerGroup(plan)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        # Sent to the workers with the first step, since Tune may still restore a checkpoint in between.
        self._request, self._begun = request_of(new_config), False
        self._resume = self._request.resume
        before = self._resume or ResumePoint(0, "")
        self._best_score, self._best_epoch = before.best_score, before.best_epoch
        return True

    def step(self) -> dict[str, Any]:
        self._group.wait_until_up()
        if not self._begun:
            self._group.send("trial", self._request.resumed(self._resume))
            self._begun = True
        report = self._next_report()
        failed = report.failure is not None
        # A failed trial must not leave its rivals without a number to compare with.
        value = WORST_SCORE if failed else self._score(report)
        report = replace(report, epoch=replace(report.epoch, score=math.nan if failed else value))
        done = failed or report.last or self._at_its_end(report.epoch.epoch) or self._out_of_patience(report.epoch)
        if not failed:
            self._remember(report.epoch)
        # An epoch that failed was not reached, and must not lower the scores that rivals are compared with.
        return {"epoch": 0 if failed else report.epoch.epoch, "score": value, REPORT: report, "done": done}

    def _score(self, report: EpochReport) -> float:
        goal = self._plan.goal
        return score(report.epoch.metrics, goal.criteria, goal.objective)

    def _next_report(self) -> EpochReport:
        started = time.monotonic()
        self._group.send("epoch")
        limit = epoch_limit(self._plan.epoch_timeout, self._longest)
        report: EpochReport = self._group.take(limit, "resources.epoch_timeout")
        self._longest = max(self._longest or 0.0, time.monotonic() - started)
        return report

    def _at_its_end(self, epoch: int) -> bool:
        """A trial may be asked to go no further than one epoch of its schedule."""
        return self._request.until is not None and epoch >= self._request.until

    def _out_of_patience(self, row: EpochRow) -> bool:
        if row.score > self._best_score:
            self._best_score, self._best_epoch = row.score, row.epoch
        patience = self._request.patience
        return patience is not None and row.epoch - self._best_epoch >= patience

    def _remember(self, row: EpochRow) -> None:
        self._resume = ResumePoint(row.epoch, row.checkpoint or "", self._best_score, self._best_epoch)

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        point = None if self._resume is None else asdict(self._resume)
        (Path(checkpoint_dir) / POINTER_FILE).write_text(json.dumps(point))

    def load_checkpoint(self, checkpoint: Any) -> None:
        point = json.loads((Path(checkpoint) / POINTER_FILE).read_text())
        self._resume = None if point is None else ResumePoint(**point)
        before = self._resume or ResumePoint(0, "")
        self._best_score, self._best_epoch = before.best_score, before.best_epoch

    def cleanup(self) -> None:
        self._group.stop()


def epoch_limit(timeout: float | Literal["auto"] | None, longest: float | None) -> float | None:
    """Seconds that an epoch may take, given the longest that its slot has seen; None without a limit.

    >>> epoch_limit("auto", 120.0), epoch_limit("auto", 2.0), epoch_limit("auto", None), epoch_limit(60, 120.0)
    (2400.0, 600.0, None, 60)
    """
    if timeout != "auto":
        return timeout
    return None if longest is None else max(LEAST_LIMIT_SECONDS, LIMIT_FACTOR * longest)
