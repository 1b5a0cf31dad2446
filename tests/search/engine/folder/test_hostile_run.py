"""A run folder made by somebody else: nothing outside of it is read, written or deleted."""

import hashlib
import json
import os

import pytest
from rich.console import Console

from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.run import EpochRow, TrialRecord
from rarecall.search.engine.folder.damage import leave_damaged_checkpoints
from rarecall.search.engine.folder.run_folder import RunFolder
from tests.idle_session import HEADER

VICTIM = "precious.txt"


@pytest.fixture
def victim(tmp_path):
    """A folder beside the run folder whose files must stay what they are, and their times of access."""
    folder = tmp_path / "victim"
    (folder / "checkpoint").mkdir(parents=True)
    (folder / "checkpoint" / VICTIM).write_text("precious")
    return folder


def state(folder):
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def run_with(tmp_path, *rows):
    """A ledger with these rows after the header."""
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    stamped = [{"schema": 1, "time": 1.0, **row} for row in (HEADER, *rows)]
    (folder / "ledger.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in stamped))
    return read_ledger(folder)


def epoch(number=1, trial="t0001", **changes):
    row = EpochRow(trial, number, {"minority_recall": 0.5}, [[2, 0], [0, 2]], 0.1, 1.0, 0.0, None, None, 0.5, 1.0)
    return {**row.as_row(), "validation_loss": None, **changes}


def begun(trial="t0001"):
    return TrialRecord(trial).as_row()


@pytest.mark.parametrize("path", ["../victim/checkpoint", "/etc", "a/../../victim", "..", "", "a\0b", 7, ["a"]])
@pytest.mark.parametrize("key", ["checkpoint", "predictions"])
def test_a_row_whose_path_leads_out_is_left_out_and_told(tmp_path, key, path):
    run = run_with(tmp_path, begun(), epoch(), epoch(2, **{key: path}))
    assert [row.epoch for row in run.trials["t0001"].epochs] == [1]
    assert len(run.problems) == 1
    assert "ledger.jsonl:4: a path of a ledger must stay within the run folder, got" in run.problems[0]


@pytest.mark.parametrize("name", ["../t1", "/t1", "a/b", "", ".hidden", "x" * 129, "a\nb", "a\x1b[2J", None, 3])
def test_a_trial_with_a_name_that_is_no_file_name_is_left_out_and_told(tmp_path, name):
    run = run_with(tmp_path, begun(), begun(name), epoch(trial=name))
    assert list(run.trials) == ["t0001"]
    assert len(run.problems) == 2
    assert all("a trial's name must be letters, digits, dots and dashes" in problem for problem in run.problems)
    assert "\x1b" not in "".join(run.problems)


def test_a_link_that_leads_out_is_not_followed(tmp_path, victim):
    run = run_with(
        tmp_path, begun(), epoch(checkpoint="checkpoints/s/t0001", predictions="checkpoints/s/t0001/precious.txt")
    )
    (run.folder / "checkpoints").mkdir()
    os.symlink(victim, run.folder / "checkpoints" / "s")
    os.rename(victim / "checkpoint", victim / "t0001")
    before, folder = state(victim), RunFolder(run.folder)
    with pytest.raises(RunError, match="leads out of the run folder"):
        folder.remove_checkpoint("checkpoints/s/t0001")
    with pytest.raises(RunError, match="leads out of the run folder"):
        leave_damaged_checkpoints(run.trials.values(), folder, Console(quiet=True))
    evidence = Evidence(run)
    assert evidence.predictions(run.trials["t0001"].epochs[0]) is None
    assert "leads out of the run folder" in evidence.problems[0]
    assert state(victim) == before


def test_a_checkpoint_within_is_removed_with_its_empty_slot(tmp_path):
    run = run_with(tmp_path, begun(), epoch(checkpoint="checkpoints/s/t0001-epoch-001"))
    place = run.folder / "checkpoints" / "s" / "t0001-epoch-001"
    place.mkdir(parents=True)
    (place / "model.bin").write_bytes(b"0")
    RunFolder(run.folder).remove_checkpoint("checkpoints/s/t0001-epoch-001")
    assert not place.parent.exists()
    assert (run.folder / "checkpoints").exists()
