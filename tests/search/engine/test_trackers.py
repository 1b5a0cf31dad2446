"""Trackers hear of every epoch once, and a tracker that fails is the only one that suffers."""

import json
import math
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tensorboardX.proto.event_pb2 import Event

from rarecall.analysis.errors import InputError
from rarecall.analysis.runs.run import EndRow, EpochRow, TrialRecord
from rarecall.search.engine.trackers import FLUSH_SECONDS, TensorBoard, Trackers, check_installed, open_trackers


def epoch(number: int, recall: float) -> EpochRow:
    metrics = {"minority_recall": recall, "recall[a/b rare]": recall, "f1[x]@script=kana": math.nan}
    row = {"trial": "t0001", "epoch": number, "metrics": metrics, "train_loss": 0.5, "score": recall, "seconds": 1.0}
    return EpochRow.from_row({**row, "time": 0.0, "peak_memory_mb": 0.0, "train_metrics": {"mae[x]": 2.0}})


def record(epochs: int, ended: bool = False) -> TrialRecord:
    made = TrialRecord("t0001", {"training.learning_rate": 0.25, "training.loss.name": "focal"})
    made.epochs.extend(epoch(number, number / 10) for number in range(1, epochs + 1))
    made.end = EndRow("t0001", "completed", "", 0.0) if ended else None
    return made


def events(folder: Path) -> Iterator[Event]:
    """Of all event files, in the framing of TFRecord: length, its checksum, data, their checksum."""
    for path in sorted(folder.rglob("events.*")):
        content, at = path.read_bytes(), 0
        while at < len(content):
            (length,) = struct.unpack_from("<Q", content, at)
            yield Event.FromString(content[at + 12 : at + 12 + length])
            at += 16 + length


def scalars(folder: Path) -> dict[tuple[str, int], float]:
    told = ((event.step, value) for event in events(folder) for value in event.summary.value)
    return {(value.tag, step): value.simple_value for step, value in told if not value.HasField("metadata")}


def test_tensorboard_has_every_epoch_once_and_the_parameters(tmp_path: Path) -> None:
    trackers = open_trackers([], "mine", tmp_path, warn=pytest.fail)
    for known in (record(0), record(1), record(1), record(2), record(2, ended=True)):
        trackers.changed(known)
    found = scalars(tmp_path / "tensorboard" / "t0001")
    assert {step for _, step in found} == {1, 2}
    assert found["minority_recall", 1] == pytest.approx(0.1)
    assert found["recall/a_b_rare", 2] == pytest.approx(0.2)
    assert found["train.mae/x", 2] == 2.0
    assert not any(tag.startswith("f1") for tag, _ in found)
    written = b"".join(path.read_bytes() for path in (tmp_path / "tensorboard").rglob("events.*"))
    assert b"training.learning_rate" in written
    assert b"focal" in written


def test_a_trial_of_an_earlier_session_goes_on_where_it_was(tmp_path: Path) -> None:
    open_trackers([], "mine", tmp_path, warn=pytest.fail).changed(record(1))
    # The session ends here without a word, as when it is killed; what was told before is on disk.
    time.sleep(2 * FLUSH_SECONDS)
    later = open_trackers([], "mine", tmp_path, warn=pytest.fail, known=[record(1)])
    later.changed(record(2, ended=True))
    steps = [event.step for event in events(tmp_path) for value in event.summary.value if value.tag == "score"]
    assert sorted(steps) == [1, 2]


def test_a_tracker_that_fails_is_left_out_and_named(tmp_path: Path) -> None:
    class Unreachable:
        def begin(self, record: TrialRecord) -> None:
            raise ConnectionError("no route to host")

        epoch = end = begin

    warned: list[str] = []
    trackers = Trackers([Unreachable(), TensorBoard(tmp_path)], warned.append)
    trackers.changed(record(2, ended=True))
    assert warned == ["Unreachable is told no more: ConnectionError: no route to host"]
    assert ("score", 2) in scalars(tmp_path)


def test_a_package_that_is_missing_is_told_with_its_remedy(monkeypatch: Any) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"rarecall\[mlflow\]"):
        check_installed(["mlflow"])


@pytest.mark.filterwarnings("ignore")  # of what MLflow's own parts say about each other
def test_mlflow_has_every_epoch_and_the_parameters(tmp_path: Path, monkeypatch: Any) -> None:
    tracking = pytest.importorskip("mlflow.tracking")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    open_trackers(["mlflow"], "mine", tmp_path, warn=pytest.fail).changed(record(2, ended=True))
    client = tracking.MlflowClient()
    (run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert run.data.params == {"training.learning_rate": "0.25", "training.loss.name": "focal"}
    assert run.info.run_name == "t0001"
    assert [one.value for one in client.get_metric_history(run.info.run_id, "recall/a_b_rare")] == [0.1, 0.2]


@pytest.mark.filterwarnings("ignore")
def test_wandb_has_every_epoch_and_the_parameters(tmp_path: Path, monkeypatch: Any) -> None:
    pytest.importorskip("wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    monkeypatch.chdir(tmp_path)
    open_trackers(["wandb"], "mine", tmp_path, warn=pytest.fail).changed(record(2, ended=True))
    (run,) = (tmp_path / "wandb").glob("offline-run-*")
    content = next(run.glob("*.wandb")).read_bytes()
    assert b"recall/a_b_rare" in content
    assert json.dumps("focal").encode() in content


def test_a_disk_that_is_full_under_tensorboard_is_told_in_a_line(tmp_path, monkeypatch, capsys):
    def full(*_):
        raise OSError(28, "No space left on device")

    before, told = threading.excepthook, []
    monkeypatch.setattr(threading, "excepthook", before)
    open_trackers((), "small", tmp_path, told.append)
    thread = type("_EventLoggerThread", (threading.Thread,), {"run": full})()
    thread.start()
    thread.join()
    assert told == ["TensorBoard is told no more: [Errno 28] No space left on device"]
    assert "Traceback" not in capsys.readouterr().err
