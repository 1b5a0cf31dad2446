"""What Ctrl-C and a kill leave of a search, and what becomes of it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest

from rarecall.analysis.runs.ledger import read_ledger
from tests.command_line import COMMAND, rarecall, write_experiment
from tests.own_session import end_session
from tests.tiny_experiment import TIERED

# What runs in the background of a shell ignores Ctrl-C, and hands that on; a search in a terminal does not.
HEARING_CTRL_C = (
    "import os, signal, sys; signal.signal(signal.SIGINT, signal.SIG_DFL); os.execv(sys.argv[1], sys.argv[1:])"
)


class Search:
    """A search in a session of its own, so that it and its Ray can be stopped without touching anything else."""

    def __init__(self, folder, *arguments):
        self.ledger = folder / "runs" / "tiny" / "ledger.jsonl"
        self.output = (folder / "output.txt").open("w+")
        self.process = subprocess.Popen(
            [sys.executable, "-c", HEARING_CTRL_C, COMMAND, "tune", "experiment.yaml", *arguments],
            cwd=folder,
            stdout=self.output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_session(self.process)
        self.output.close()

    def wait_for(self, kind, count, seconds=240):
        """Until the ledger holds that many rows of a kind."""
        deadline = time.monotonic() + seconds
        while self._rows(kind) < count:
            assert self.process.poll() is None, f"ended too early: {self.told()}"
            assert time.monotonic() < deadline, f"took too long: {self.told()}"
            time.sleep(0.02)

    def _rows(self, kind):
        return self.ledger.read_text().count(f'"kind":"{kind}"') if self.ledger.exists() else 0

    def told(self):
        self.output.seek(0)
        return self.output.read()


@pytest.mark.timeout(600)
def test_a_search_that_is_interrupted_and_killed_goes_on_to_exactly_its_trials(tmp_path):
    rarecall(tmp_path, "generate", "-o", "articles.jsonl", "--rows", "160")
    more = {
        "training": {**TIERED["training"], "epochs": 3},
        "search": {"trials": 5, "stop_early": None, "baselines": False},
    }
    write_experiment(tmp_path, {**TIERED, **more})
    ledger = tmp_path / "runs" / "tiny" / "ledger.jsonl"

    # Ctrl-C reaches every process of the terminal, Ray's as well.
    with Search(tmp_path) as search:
        search.wait_for("end", 1)
        os.killpg(search.process.pid, signal.SIGINT)
        code = search.process.wait(60)
        told = search.told()
    assert code == 130, told
    assert "Traceback" not in told
    assert "stopped; everything finished so far is kept in runs/tiny" in told
    assert "resume with: rarecall tune experiment.yaml --resume" in told
    after_interrupt = ledger.read_bytes()
    interrupted = read_ledger(ledger)
    assert interrupted.problems == []
    assert sum(record.end is not None for record in interrupted.trials.values()) in (1, 2)

    # Killed in the middle of a trial: some epoch is written, its trial has not ended.
    with Search(tmp_path, "--resume") as search:
        search.wait_for("end", 3)
        epochs = ledger.read_text().count('"kind":"epoch"')
        search.wait_for("epoch", epochs + 1)
        os.kill(search.process.pid, signal.SIGKILL)
        search.process.wait()
        killed = ledger.read_bytes()
        assert killed.startswith(after_interrupt)
        # As if it had been killed while it wrote, and once before it could write that a trial had ended.
        lines = killed.splitlines(keepends=True)
        first_end = next(i for i, line in enumerate(lines) if b'"kind":"end"' in line)
        kept = b"".join(lines[:first_end] + lines[first_end + 1 :])
        ledger.write_bytes(kept + b'{"schema":1,"kind":"epo')
        finished_then = {name for name, record in read_ledger(ledger).trials.items() if record.end is not None}
        assert len(finished_then) >= 2

        # While the rest of the killed Ray is still there.
        rarecall(tmp_path, "tune", "experiment.yaml", "--resume")

    final = ledger.read_bytes()
    assert final.startswith(kept)
    run = read_ledger(ledger)
    assert run.problems == []
    assert list(run.trials) == ["t0001", "t0002", "t0003", "t0004", "t0005"]
    assert {record.status for record in run.trials.values()} == {"completed"}
    assert [[row.epoch for row in record.epochs] for record in run.trials.values()] == [[1, 2, 3]] * 5
    rows = [json.loads(line) for line in final[len(kept) :].splitlines()]
    again = {row["trial"] for row in rows if row["kind"] == "epoch"}
    assert not again & (finished_then | {"t0001"})
    assert next(row["trial"] for row in rows if row["kind"] == "end") == "t0001"
    started = [json.loads(line)["trial"] for line in final.splitlines() if b'"kind":"trial"' in line]
    assert sorted(started) == list(run.trials)
    assert all(run.resolve(record.epochs[-1].checkpoint).is_dir() for record in run.trials.values())
