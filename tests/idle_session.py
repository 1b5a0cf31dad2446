"""Trials that do next to nothing, for tests of what happens around them. Workers, files and accidents are real."""

import json
import os
import signal
import sys
from pathlib import Path

import numpy as np
from ray import cloudpickle

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.trainables.training.epoch import EpochResult

# Workers need not find the tests.
cloudpickle.register_pickle_by_value(sys.modules[__name__])

LABELS = LabelSpace(classes=("common", "rare"), minority=("rare",))
EPOCHS = 3
# The `run` row of a ledger for such trials.
HEADER = {
    "kind": "run",
    "run_id": "1",
    "name": "idle",
    "criteria": [],
    "objective": "minority_recall",
    "labels": {"classes": list(LABELS.classes), "minority": list(LABELS.minority), "dimensions": []},
    "data_hash": "",
    "versions": {},
    "trials_asked": 6,
    "seed": 0,
}


class IdleSession:
    """Stands in for training: every epoch says which process ran it and after which epoch its trial had begun.

    accidents: by (trial, epoch), what happens in the middle of that epoch the first time it runs.
    """

    def __init__(self, folder, accidents=None):
        self.folder, self.accidents = Path(folder), accidents or {}

    def __call__(self, data, worker):
        def run_trial(request, start):
            config = request.config
            first = 0 if start is None else start.epoch
            if start is not None:
                assert json.loads((start.folder / "state.json").read_text())["epoch"] == start.epoch
            for epoch in range(first + 1, config["training"]["epochs"] + 1):
                together = worker.total(1.0)
                self.have_accident(config["name"], epoch, worker)
                yield idle_result(config, epoch, {"first": first, "workers": together, "pid": os.getpid()})

        return run_trial

    def have_accident(self, trial, epoch, worker):
        accident = self.accidents.get((trial, epoch))
        marker = self.folder / f"{trial}-{epoch}"
        if accident is None or worker.rank != worker.size - 1 or marker.exists():
            return
        marker.touch()
        if accident == "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        raise ArithmeticError(accident)


def idle_result(config, epoch, metrics):
    rows = np.arange(4)
    return EpochResult(
        epoch=epoch,
        metrics={"minority_recall": config.get("recalls", [0.5] * EPOCHS)[epoch - 1], **metrics},
        confusion=[[2, 0], [0, 2]],
        predictions=Predictions(rows, rows % 2, rows % 2, probabilities=np.full((4, 2), 0.5)),
        train_loss=0.1,
        seconds=0.0,
        peak_memory_mb=0.0,
        diverged=epoch == config.get("diverges"),
        save=lambda folder: (folder / "state.json").write_text(json.dumps({"epoch": epoch})) and None,
    )


def idle_config(name, early_stopping=None, **more):
    return {"name": name, "training": {"epochs": EPOCHS, "early_stopping": early_stopping}, **more}
