"""Whole searches of trials that do next to nothing, with the accidents that a fault table needs; all of it is real.

Run as a program, `python -m tests.faulty_search FOLDER [--resume] …` is a driver that can be killed, or whose Ray can.
"""

import argparse
import dataclasses
import io
import os
import resource
import signal
import sys
import time
from pathlib import Path

import optuna
import ray
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from ray import cloudpickle
from rich.console import Console

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.errors import RarecallError
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.search.cluster.session import ray_session
from rarecall.search.engine.folder.damage import leave_damaged_checkpoints
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.search.engine.recorder import Listeners, Method, Recorder, RunFiles
from rarecall.search.engine.searcher import STUDY_NAME, TrialSearcher, TrialSpace
from rarecall.search.engine.tuner import run_trials
from rarecall.trainables.slot import SlotPlan
from tests.idle_session import HEADER, LABELS, IdleSession, idle_config

cloudpickle.register_pickle_by_value(sys.modules[__name__])

GOAL = Goal((), "minority_recall")
OPENING = "opening"
# The second epoch is the best one, so its checkpoint is kept beside the last one's.
RECALLS = [0.5, 0.7, 0.6]


def killed():
    os.kill(os.getpid(), signal.SIGKILL)


def stopped():
    os.kill(os.getpid(), signal.SIGSTOP)


def hangs():
    time.sleep(3600)


def small_files():
    """From here on this process can write no file beyond a few bytes, as on a disk that is full."""
    resource.setrlimit(resource.RLIMIT_FSIZE, (3, resource.getrlimit(resource.RLIMIT_FSIZE)[1]))


class FaultySession(IdleSession):
    """accidents: a function and how often it is called, by (trial, epoch), (trial, epoch, "saving") or `OPENING`."""

    def __call__(self, data, worker):
        self.happen(OPENING)
        run = super().__call__(data, worker)

        def run_trial(request, start):
            config = request.config
            for result in run(request, start):
                time.sleep(config["seconds"])
                yield dataclasses.replace(result, save=self.saving(config["name"], config["weight"], result))

        return run_trial

    def saving(self, trial, weight, result):
        def save(folder):
            (folder / "model.bin").write_bytes(b"0" * weight)
            self.happen((trial, result.epoch, "saving"))
            result.save(folder)

        return save

    def have_accident(self, trial, epoch, worker):
        if worker.rank == worker.size - 1:
            (self.folder / f"{trial}-{epoch}.pid").write_text(str(os.getpid()))
            self.happen((trial, epoch))

    def happen(self, moment):
        accident, times = self.accidents.get(moment, (None, 0))
        name = "-".join(map(str, moment)) if isinstance(moment, tuple) else moment
        for number in range(times):
            try:
                (self.folder / f"{name}.{number}").touch(exist_ok=False)
            except FileExistsError:
                continue
            accident()
            return


def names_of(trials):
    return [f"t{number:04d}" for number in range(1, trials + 1)]


class FaultySearch:
    """One session of a search in a folder that may hold earlier ones. told: what a user is told. plan: of its slots."""

    def __init__(self, folder, trials, accidents=None, slots=1, seconds=0.0, weight=0, **plan):
        self.folder, self.trials, self.slots, self.told = Path(folder), trials, slots, []
        run = RunFolder(self.folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.earlier = read_ledger(run.ledger).trials if run.ledger.exists() else {}
        said = io.StringIO()
        leave_damaged_checkpoints(self.earlier.values(), run, Console(file=said, width=500))
        self.told += said.getvalue().splitlines()
        unfinished = [name for name, record in self.earlier.items() if record.end is None]
        names = iter(unfinished + [name for name in names_of(trials) if name not in self.earlier])
        self.left = trials - len(self.earlier) + len(unfinished)
        self.searcher = TrialSearcher(
            TrialSpace({}, lambda params: idle_config(next(names), seconds=seconds, weight=weight, recalls=RECALLS)),
            GOAL,
            trials=trials,
            seed=0,
            earlier=list(self.earlier.values()),
            journal=run.journal,
        )
        work = ray.put((FaultySession(folder, accidents), None))
        self.plan = SlotPlan(work=work, labels=LABELS, run_folder=str(folder), **plan)

    def run(self, changed=lambda name: None):
        folder = RunFolder(self.folder)
        with Ledger(folder.ledger) as ledger:
            ledger.append(HEADER)
            retried = lambda trial, reason: self.told.append(f"{trial}: {reason}")  # noqa: E731
            files, method = RunFiles(ledger, folder, self.earlier), Method(self.searcher, None, GOAL)
            recorder = Recorder(files, method, Listeners(lambda request: {}, changed, retried))
            run_trials(self.plan, self.slots, self.left, recorder)
        return read_ledger(folder.ledger)

    def states(self):
        """Of all trials in the study, as `optuna-dashboard` would show them."""
        storage = JournalStorage(JournalFileBackend(str(RunFolder(self.folder).journal)))
        return [trial.state.name for trial in optuna.load_study(study_name=STUDY_NAME, storage=storage).trials]


def main():
    """A driver as the command line is one: Ray of its own, and an error of ours is told on one line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder")
    parser.add_argument("--trials", type=int, default=2)
    parser.add_argument("--seconds", type=float, default=0.0, help="of each epoch")
    parser.add_argument("--weight", type=int, default=0, help="bytes of each checkpoint")
    options = parser.parse_args()
    try:
        with ray_session(None):
            search = FaultySearch(options.folder, options.trials, seconds=options.seconds, weight=options.weight)
            search.run(lambda name: print(name, flush=True))
    except RarecallError as error:
        print(f"rarecall: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


if __name__ == "__main__":
    from tests import faulty_search

    faulty_search.main()
