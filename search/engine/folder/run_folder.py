"""The run folder: made new, taken up again, or refused with the reason."""

import contextlib
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.parquet_file import PREDICTIONS_NAME
from rarecall.analysis.runs.confined import within
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger
from rarecall.analysis.runs.run import PREDICTIONS_FOLDER
from rarecall.search.experiment.yaml_file import write_yaml
from rarecall.trainables.exported.names import EXPERIMENT_FILE

TUNE_FOLDER = ".tune"
JOURNAL_FILE = "optuna.journal"


@dataclass(frozen=True)
class RunFolder:
    """Paths of one run."""

    path: Path

    @property
    def ledger(self) -> Path:
        return self.path / LEDGER_NAME

    @property
    def experiment(self) -> Path:
        return self.path / EXPERIMENT_FILE

    @property
    def journal(self) -> Path:
        return self.path / JOURNAL_FILE

    def write_experiment(self, tree: dict[str, Any]) -> None:
        """Keep the experiment as it runs, for the export.

        Raises:
            RunError: the folder cannot be written.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            write_yaml(self.experiment, tree)
        except OSError as failure:
            raise RunError(
                f"{self.path}: cannot be written ({failure.strerror}); set storage.path to a folder that can"
            ) from None

    def remove_checkpoint(self, relative: str) -> None:
        """Delete a checkpoint that nobody needs any more, all but its predictions; one that is gone already is fine.

        What the winner should do on fresh rows depends on every epoch that could have been chosen in its place.

        Raises:
            RunError: it leads out of the run folder.
        """
        place, kept = within(self.path, relative), within(self.path, PREDICTIONS_FOLDER)
        predictions = place / PREDICTIONS_NAME
        with contextlib.suppress(OSError):  # without them, the figures are of the epochs that are left
            if predictions.is_file():
                kept.mkdir(exist_ok=True)
                predictions.replace(kept / f"{place.name}{predictions.suffix}")
        shutil.rmtree(place, ignore_errors=True)
        with contextlib.suppress(OSError):
            place.parent.rmdir()  # only when its slot left nothing else


def open_run(path: Path, tree: dict[str, Any], resume: bool, overwrite: bool) -> RunFolder:
    """The folder to run in. `tree` is the experiment as it will run; a run that goes on keeps its former one, until its
    data are known to be the same and `write_experiment` is called.

    Raises:
        RunError: there is a run already and neither `resume` nor `overwrite` was asked for, there is none to resume,
            or the folder cannot be written.
    """
    folder = RunFolder(path)
    started = folder.ledger.exists()
    if resume and not started:
        raise RunError(f"{path}: there is no run to resume; leave --resume out to start one")
    if started and not resume and not overwrite:
        raise RunError(f"{path}: a run exists already; --resume resumes it, --overwrite deletes it")
    if started and overwrite:
        Ledger(folder.ledger).close()  # refused while another search holds it
        shutil.rmtree(path)
    if not resume:
        folder.write_experiment(tree)
    return folder


def find_run(path: Path) -> RunFolder:
    """An existing run, for the commands that only read.

    Raises:
        RunError: the folder holds no ledger.
    """
    folder = RunFolder(path)
    if not folder.ledger.is_file():
        raise RunError(f"{path}: is not a run folder (no {LEDGER_NAME}); `rarecall tune EXPERIMENT` makes one")
    return folder
