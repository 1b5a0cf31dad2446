"""Ray Tune's side of a slot: a class trainable that takes one trial after another."""

import json
import time
from pathlib import Path
from typing import Any, Literal

from ray import tune

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.ranking import score
from rarecall.trainables.slot.group import WorkerGroup
from rarecall.trainables.slot.plan import SlotPlan

# An epoch that takes this many times the slot's longest so far, and at least so long, is not expected to end.
LIMIT_FACTOR, LEAST_LIMIT_SECONDS = 20, 600.0


class Slot(tune.Trainable):
    """Ray Tune's view of a worker group: `step` is one epoch, `reset_config` hands over the next trial."""

    @classmethod
    def default_resource_request(cls, config: dict[str, Any]) -> tune.PlacementGroupFactory:
        """Next to nothing, but Tune insists on something: a hundredth of a CPU would leave 2 CPUs room for one slot."""
        return tune.PlacementGroupFactory([{"memory": 1}])

    def setup(self, config: dict[str, Any], plan: SlotPlan) -> None:  # type: ignore[override]  # from with_parameters
        self._plan = plan
        self._criteria = [parse(text, plan.labels.minority) for text in plan.criteria]
        self._longest: float | None = None
        self._group = WorkerGroup(plan)
        self.reset_config(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        # Sent to the workers with the first step, since Tune may still restore a checkpoint in between.
        self._trial, self._start, self._begun = new_config, new_config.get("start"), False
        earlier = self._start or {}
        self._best_score, self._best_epoch = earlier.get("best_score", float("-inf")), earlier.get("best_epoch", 0)
        return True

    def step(self) -> dict[str, Any]:
        self._group.wait_until_up()
        if not self._begun:
            self._group.send("trial", {**self._trial, "start": self._start})
            self._begun = True
        row = self._next_row()
        self._start = {"epoch": row["epoch"], "checkpoint": row["checkpoint"]}
        failed = row["failure"] is not None
        row["score"] = None if failed else score(row["metrics"], self._criteria, self._plan.objective)
        # A failed trial must not leave its rivals without a number to compare with.
        value = -1e6 if failed else row["score"]
        done = failed or row["last"] or self._at_its_end(row["epoch"]) or self._out_of_patience(row["epoch"], value)
        # The row as text, so that Tune neither flattens nor averages what only the ledger needs. An epoch that failed
        # was not reached, and must not lower the scores that rivals are held against.
        return {"epoch": 0 if failed else row["epoch"], "score": value, "row": json.dumps(row), "done": done}

    def _next_row(self) -> dict[str, Any]:
        started = time.monotonic()
        self._group.send("epoch")
        row = self._group.take(epoch_limit(self._plan.epoch_timeout, self._longest), "resources.epoch_timeout")
        self._longest = max(self._longest or 0.0, time.monotonic() - started)
        return row

    def _at_its_end(self, epoch: int) -> bool:
        """A trial may be asked to go no further than one epoch of its schedule."""
        until = self._trial.get("until")
        return until is not None and epoch >= int(until)

    def _out_of_patience(self, epoch: int, value: float) -> bool:
        if value > self._best_score:
            self._best_score, self._best_epoch = value, epoch
        patience = self._trial["config"]["training"]["early_stopping"]
        return patience is not None and epoch - self._best_epoch >= patience

    def save_checkpoint(self, checkpoint_dir: str) -> None:
        pointer = {"start": self._start, "best_score": self._best_score, "best_epoch": self._best_epoch}
        (Path(checkpoint_dir) / "pointer.json").write_text(json.dumps(pointer))

    def load_checkpoint(self, checkpoint: Any) -> None:
        pointer = json.loads((Path(checkpoint) / "pointer.json").read_text())
        self._start, self._best_score, self._best_epoch = (
            pointer["start"],
            pointer["best_score"],
            pointer["best_epoch"],
        )

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
