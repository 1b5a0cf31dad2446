"""What a search tells besides its ledger: TensorBoard's files always, MLflow and Weights & Biases on request.

The ledger stays the truth: a tracker that fails is left out with a line that says so, and the search goes on.
"""

import importlib.util
import math
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Literal, Protocol

from tensorboardX import SummaryWriter
from tensorboardX.summary import hparams

from rarecall.analysis.criteria.criterion import split_key
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.runs.run import EpochRow, TrialRecord

TrackerName = Literal["mlflow", "wandb"]
TENSORBOARD_FOLDER = "tensorboard"
# So that curves are seen while they grow.
FLUSH_SECONDS = 2


class Tracker(Protocol):
    """Hears of each trial once that it begins, of its epochs in their order, and that it ends."""

    def begin(self, record: TrialRecord) -> None: ...

    def epoch(self, record: TrialRecord, row: EpochRow) -> None: ...

    def end(self, record: TrialRecord) -> None: ...


class TensorBoard:
    """Event files for each trial below `tensorboard/` in the run folder, with its parameters for the HPARAMS page."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / TENSORBOARD_FOLDER
        self._writers: dict[str, SummaryWriter] = {}

    def begin(self, record: TrialRecord) -> None:
        # Sessions of a search may begin within one second, which the file's name is made of.
        suffix = f".{len(record.epochs)}"
        self._writers[record.trial] = SummaryWriter(
            str(self._folder / record.trial), filename_suffix=suffix, flush_secs=FLUSH_SECONDS
        )

    def epoch(self, record: TrialRecord, row: EpochRow) -> None:
        writer = self._writers[record.trial]
        for key, value in figures(row).items():
            writer.add_scalar(_tag(key), value, row.epoch)

    def end(self, record: TrialRecord) -> None:
        writer = self._writers.pop(record.trial)
        if record.epochs:
            shown = {_tag(key): value for key, value in figures(record.epochs[-1]).items()}
            for part in hparams({key: _plain(value) for key, value in record.params.items()}, shown):
                writer.file_writer.add_summary(part)
        writer.close()


class MLflow:
    """A run for each trial in the experiment `name`, where MLFLOW_TRACKING_URI says."""

    def __init__(self, name: str) -> None:
        from mlflow.tracking import MlflowClient  # noqa: PLC0415  # an extra

        self._client = MlflowClient()
        known = self._client.get_experiment_by_name(name)
        self._experiment = known.experiment_id if known else self._client.create_experiment(name)
        self._runs: dict[str, str] = {}

    def begin(self, record: TrialRecord) -> None:
        run = self._client.create_run(self._experiment, run_name=record.trial).info.run_id
        self._runs[record.trial] = run
        for key, value in record.params.items():
            self._client.log_param(run, key, value)

    def epoch(self, record: TrialRecord, row: EpochRow) -> None:
        for key, value in figures(row).items():
            self._client.log_metric(self._runs[record.trial], _tag(key), value, step=row.epoch)

    def end(self, record: TrialRecord) -> None:
        failed = record.end is not None and record.end.status == "failed"
        self._client.set_terminated(self._runs.pop(record.trial), "FAILED" if failed else "FINISHED")


class WeightsAndBiases:
    """A run for each trial in the project `name`; WANDB_API_KEY, WANDB_MODE and the like are as everywhere."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._runs: dict[str, Any] = {}

    def begin(self, record: TrialRecord) -> None:
        import wandb  # noqa: PLC0415  # an extra

        self._runs[record.trial] = wandb.init(
            project=self._name, name=record.trial, config=dict(record.params), reinit="create_new"
        )

    def epoch(self, record: TrialRecord, row: EpochRow) -> None:
        self._runs[record.trial].log({_tag(key): value for key, value in figures(row).items()}, step=row.epoch)

    def end(self, record: TrialRecord) -> None:
        failed = record.end is not None and record.end.status == "failed"
        self._runs.pop(record.trial).finish(exit_code=int(failed))


_ON_REQUEST: Mapping[TrackerName, Callable[[str], Tracker]] = {"mlflow": MLflow, "wandb": WeightsAndBiases}


class Trackers:
    """Tells the trackers what is new in a trial's record.

    warn: is given a line when a tracker failed. known: trials of earlier sessions, whose epochs were told by these.
    """

    def __init__(
        self, trackers: Sequence[Tracker], warn: Callable[[str], None], known: Sequence[TrialRecord] = ()
    ) -> None:
        self._trackers, self._warn = list(trackers), warn
        self._epochs_told = {record.trial: len(record.epochs) for record in known}
        self._begun: set[str] = set()

    def changed(self, record: TrialRecord) -> None:
        """To be called after each change of a trial of this session."""
        if record.trial not in self._begun:
            self._begun.add(record.trial)
            self._each(lambda tracker: tracker.begin(record))
        told = self._epochs_told.get(record.trial, 0)
        self._epochs_told[record.trial] = max(told, len(record.epochs))
        for row in record.epochs[told:]:
            self._each(partial(_tell_epoch, record, row))
        if record.end is not None:
            self._each(lambda tracker: tracker.end(record))

    def _each(self, tell: Callable[[Tracker], None]) -> None:
        for tracker in list(self._trackers):
            try:
                tell(tracker)
            except Exception as error:  # a tracker's server may fail in any way
                self._trackers.remove(tracker)
                self._warn(f"{type(tracker).__name__} is told no more: {type(error).__name__}: {error}")


def _tell_epoch(record: TrialRecord, row: EpochRow, tracker: Tracker) -> None:
    tracker.epoch(record, row)


def check_installed(names: Sequence[TrackerName]) -> None:
    """Before anything runs.

    Raises:
        InputError: the package of a tracker is missing.
    """
    faults = [
        Fault("search.trackers", f"needs the package {one}", one, f"pip install 'rarecall[{one}]'")
        for one in names
        if importlib.util.find_spec(one) is None
    ]
    if faults:
        raise InputError("search.trackers", faults)


def open_trackers(
    names: Sequence[TrackerName],
    name: str,
    folder: Path,
    warn: Callable[[str], None],
    known: Sequence[TrialRecord] = (),
) -> Trackers:
    """TensorBoard and those that are named. name: of the experiment. warn, known: as for `Trackers`."""
    threading.excepthook = partial(_thread_failed, warn, threading.excepthook)
    return Trackers([TensorBoard(folder), *(_ON_REQUEST[one](name) for one in names)], warn, known)


def _thread_failed(
    warn: Callable[[str], None], others: Callable[[Any], object], failure: "threading.ExceptHookArgs"
) -> None:
    """TensorBoard writes in a thread of its own: where the disk is full or gone, it is told and the search goes on."""
    if type(failure.thread).__name__ != "_EventLoggerThread" or not isinstance(failure.exc_value, OSError):
        others(failure)
        return
    warn(f"TensorBoard is told no more: {failure.exc_value}")


def figures(row: EpochRow) -> dict[str, float]:
    """The finite numbers of an epoch: losses, seconds, metrics of validation and, as `train.…`, of training rows."""
    own = {"train_loss": row.train_loss, "validation_loss": row.validation_loss, "seconds": row.seconds}
    train = {f"train.{key}": value for key, value in row.train_metrics.items()}
    found = {**own, "score": row.score, **row.metrics, **train}
    return {key: value for key, value in found.items() if math.isfinite(value)}


def _tag(key: str) -> str:
    """As trackers group figures, and without signs that some of them refuse or replace.

    >>> _tag("recall[rare]"), _tag("mae"), _tag("recall[rare]@script=kana")
    ('recall/rare', 'mae', 'recall/rare/script/kana')
    """
    name, selector, part = split_key(key)
    pieces = [name, *([selector] if selector else []), *(part.split("=") if part else [])]
    return "/".join("".join(sign if sign.isalnum() or sign in "_-." else "_" for sign in piece) for piece in pieces)


def _plain(value: Any) -> Any:
    """TensorBoard's table knows numbers, words and yes or no."""
    return value if isinstance(value, bool | int | float | str) else str(value)
