"""Searches whose trials train nothing, for benchmarks of all that happens around training.

Slots, workers, checkpoints, ledger, searcher and scheduler are those of a real search.
"""

import json
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import ray
from optuna.distributions import FloatDistribution

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import Ledger
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.search.engine.recorder import Listeners, Method, Recorder, RunFiles
from rarecall.search.engine.searcher import TrialSearcher, TrialSpace
from rarecall.search.engine.tuner import run_trials
from rarecall.trainables.slot import SlotPlan
from rarecall.trainables.training.epoch import EpochResult
from rarecall.trainables.training.loop import Start
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.worker import Worker

LABELS = LabelSpace(classes=("common", "rare"), minority=("rare",))
CRITERIA = ("recall[common] >= 0.6",)
OBJECTIVE = "minority_recall"
SPACE = ("training.oversampling.ratio", "training.class_weights.strength", "training.loss.gamma")


@dataclass(frozen=True)
class IdleSession:
    """Stands in for training: loads what training loads, then sleeps, or computes, for so long in each epoch."""

    seconds: float
    busy: bool = False

    def __call__(self, data: Any, worker: Worker) -> Any:
        import transformers  # noqa: F401  # every worker of a real search has it

        def run_trial(request: TrialRequest, start: Start | None) -> Iterator[EpochResult]:
            for epoch in range(1, request.epochs + 1):
                (_compute if self.busy else time.sleep)(self.seconds)
                config = request.config
                yield _result(epoch, sum(config["params"]) / len(SPACE) if "params" in config else 0.5)

        return run_trial


def _compute(seconds: float) -> None:
    """Until the process has had so many seconds of a core: a trial that others slow down takes longer, as in life."""
    end = time.process_time() + seconds
    while time.process_time() < end:
        np.ones((64, 64)) @ np.ones((64, 64))


def _result(epoch: int, recall: float) -> EpochResult:
    rows = np.arange(4)
    return EpochResult(
        epoch=epoch,
        metrics={"minority_recall": recall, "recall[common]": 1 - recall / 2, "recall[rare]": recall},
        confusion=[],
        predictions=Predictions(rows, rows % 2, rows % 2, probabilities=np.full((4, 2), 0.5)),
        train_loss=0.0,
        seconds=0.0,
        peak_memory_mb=0.0,
        diverged=False,
        save=lambda folder: (folder / "state.json").write_text(json.dumps({"epoch": epoch})) and None,
    )


def run_search(folder: Path, session: IdleSession, trials: int, epochs: int, slots: int) -> RunFolder:
    """A search of three parameters in Ray as it is connected now; everything told stands in the ledger."""
    run, goal = RunFolder(folder), Goal(tuple(parse(text, LABELS.minority) for text in CRITERIA), OBJECTIVE)
    folder.mkdir(parents=True)

    def make_config(params: Mapping[str, Any]) -> dict[str, Any]:
        return {"params": [params[key] for key in SPACE], "training": {"epochs": epochs, "early_stopping": None}}

    distributions = {key: FloatDistribution(0.0, 1.0) for key in SPACE}
    space = TrialSpace(distributions, make_config, dict.fromkeys(SPACE, 0.0))
    searcher = TrialSearcher(space, goal, trials, seed=0, journal=run.journal)
    plan = SlotPlan(work=ray.put((session, None)), labels=LABELS, run_folder=str(folder), goal=goal)
    with Ledger(run.ledger) as ledger:
        ledger.append(_header(trials))
        listeners = Listeners(lambda request: {}, lambda trial: None)
        recorder = Recorder(RunFiles(ledger, run, {}), Method(searcher, None, goal), listeners)
        run_trials(plan, slots, trials, recorder)
    return run


def _header(trials: int) -> dict[str, Any]:
    asked = {"criteria": list(CRITERIA), "objective": OBJECTIVE, "labels": asdict(LABELS)}
    named = {"run_id": "idle", "name": "idle", "data_hash": "", "versions": {}, "trials_asked": trials, "seed": 0}
    return {"kind": "run", **named, **asked}
