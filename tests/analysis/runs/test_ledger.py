import gc
import json
import math
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecall.analysis.errors import RunError
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger, read_ledger
from rarecall.analysis.runs.ranking.standings import standings

WriteLedger = Callable[..., Path]


def test_round_trip(rows: SimpleNamespace, write_ledger: WriteLedger, tiers: LabelSpace) -> None:
    folder = write_ledger(
        rows.run(),
        rows.trial("a", **{"model.lora.rank": 8, "training.learning_rate": 2e-4}),
        rows.epoch("a", 2, {"accuracy": 0.75}, confusion=[[3, 1], [0, 0]], train_loss=0.25, peak_memory_mb=512.0),
        rows.epoch("a", 1, {"accuracy": 0.5}),
        rows.end("a", "stopped", "no better epoch"),
        rows.trial("b"),
    )
    run = read_ledger(folder)
    assert run.problems == []
    assert run.labels == tiers
    assert [criterion.threshold for criterion in run.criteria] == [0.85, 0.6, 0.5, 0.4, 1.5, 0.0]
    assert (run.objective, run.header["name"], run.folder) == ("minority_recall", "demo", folder)
    assert list(run.trials) == ["a", "b"]
    a = run.trials["a"]
    assert a.params == {"model.lora.rank": 8, "training.learning_rate": 2e-4}
    assert [epoch.epoch for epoch in a.epochs] == [1, 2]
    last = a.epochs[1]
    assert (last.metrics, last.confusion, last.train_loss) == ({"accuracy": 0.75}, [[3, 1], [0, 0]], 0.25)
    assert (last.seconds, last.peak_memory_mb) == (2.5, 512.0)
    assert math.isnan(a.epochs[0].peak_memory_mb)
    assert run.resolve(last.checkpoint) == folder / "checkpoints/a/2"
    assert a.end is not None
    assert (a.status, a.end.reason) == ("stopped", "no better epoch")
    assert run.trials["b"].status == "running"


def test_file_and_folder_are_the_same(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    folder = write_ledger(rows.run())
    assert read_ledger(folder) == read_ledger(folder / LEDGER_NAME)


def test_lines_are_strict_json_with_schema_and_time(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    metrics = {"a": math.nan, "b": np.float64(0.5), "c": np.int64(3), "d": math.inf}
    folder = write_ledger(rows.run(), rows.epoch("a", 1, metrics, confusion=np.eye(2, dtype=int)))

    def refuse(constant: str) -> None:
        raise AssertionError(constant)

    text = (folder / LEDGER_NAME).read_text()
    assert text.endswith("}\n")
    header, epoch = (json.loads(line, parse_constant=refuse) for line in text.splitlines())
    assert header["schema"] == epoch["schema"] == 1
    assert header["time"] <= epoch["time"]
    assert epoch["metrics"] == {"a": None, "b": 0.5, "c": 3, "d": None}
    assert epoch["confusion"] == [[1, 0], [0, 1]]
    assert math.isnan(read_ledger(folder).trials["a"].epochs[0].metrics["a"])


def test_training_figures_are_read_and_an_older_ledger_has_none(
    rows: SimpleNamespace, write_ledger: WriteLedger
) -> None:
    told = rows.epoch("a", 2, {"accuracy": 0.5}) | {"train_metrics": {"accuracy": 0.75, "recall[rare]": math.nan}}
    older, newer = read_ledger(write_ledger(rows.run(), rows.epoch("a", 1, {"accuracy": 0.5}), told)).trials["a"].epochs
    assert older.train_metrics == {}
    assert newer.train_metrics["accuracy"] == 0.75
    assert math.isnan(newer.train_metrics["recall[rare]"])


def test_append_refuses_rows_that_could_not_be_read(rows: SimpleNamespace, tmp_path: Path) -> None:
    with Ledger(tmp_path / LEDGER_NAME) as ledger:
        with pytest.raises(ValueError, match="epoch, end, test, baseline, screen, got 'note'"):
            ledger.append({"kind": "note"})
        with pytest.raises(ValueError, match="got none of params"):
            ledger.append({"kind": "trial", "trial": "a"})
        with pytest.raises(TypeError, match="set is not JSON"):
            ledger.append(rows.trial("a", choices={1, 2}))
    assert (tmp_path / LEDGER_NAME).read_bytes() == b""


def test_the_later_row_of_an_epoch_wins_and_a_trial_told_again_runs_again(
    rows: SimpleNamespace, write_ledger: WriteLedger
) -> None:
    folder = write_ledger(
        rows.run(),
        rows.trial("a", x=1),
        rows.epoch("a", 1, {"accuracy": 0.1}),
        rows.end("a", "failed", "out of memory"),
        rows.run(name="resumed"),
        rows.trial("a", x=2),
        rows.epoch("a", 1, {"accuracy": 0.2}),
    )
    run = read_ledger(folder)
    record = run.trials["a"]
    assert [epoch.metrics["accuracy"] for epoch in record.epochs] == [0.2]
    assert (record.params, record.status) == ({"x": 2}, "running")
    assert [header["name"] for header in run.headers] == ["demo", "resumed"]
    assert run.header["name"] == "resumed"


def test_unusable_lines_are_told_and_the_rest_is_read(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    folder = write_ledger(rows.run(), rows.trial("a"))
    good = {"schema": 1, "time": 0.0, **rows.epoch("a", 1, {"accuracy": 0.5})}
    bad = [
        b'{"schema": 1, "kind": "epo',
        b'{"trial": "\xff"}',
        b"[1, 2]",
        json.dumps(good | {"schema": 2}).encode(),
        json.dumps(good | {"kind": "note"}).encode(),
        json.dumps({key: good[key] for key in ("schema", "kind", "trial", "epoch")}).encode(),
        json.dumps(good | {"epoch": 0}).encode(),
        json.dumps(good | {"metrics": {"accuracy": "high"}}).encode(),
        json.dumps({"schema": 1, **rows.end("a", "exploded")}).encode(),
        json.dumps({"schema": 1, **rows.run(criteria=("recal[x] > 0",))}).encode(),
        json.dumps({"schema": 1, **rows.run(objective="luck")}).encode(),
        b"[" * 100_000,
    ]
    with open(folder / LEDGER_NAME, "ab") as file:
        file.write(b"\n".join(bad) + b"\n\n" + json.dumps(good).encode() + b"\n")
    run = read_ledger(folder)
    assert [epoch.epoch for epoch in run.trials["a"].epochs] == [1]
    reasons = [
        "not a line of JSON",
        "not a line of JSON",
        "a row must be an object, got list",
        "the schema must be version 1, got 2",
        "the kind must be one of run, trial, epoch, end, test, baseline, screen, got 'note'",
        "'metrics' is missing",
        "the epoch must be a whole number from 1, got 0",
        "could not convert string to float: 'high'",
        "the status must be one of completed, stopped, failed, got 'exploded'",
        "did you mean 'recall'",
        "a metric must be one of",
        "not a line of JSON",
    ]
    assert len(run.problems) == len(reasons)
    for line, (problem, reason) in enumerate(zip(run.problems, reasons, strict=True), start=3):
        assert problem.startswith(f"{folder / LEDGER_NAME}:{line}: ")
        assert reason in problem


def test_epochs_without_their_trial_row_are_kept_and_told(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    run = read_ledger(write_ledger(rows.run(), rows.epoch("a", 1, {"accuracy": 0.5})))
    assert len(run.trials["a"].epochs) == 1
    (problem,) = run.problems
    assert problem.endswith("the parameters of trial a, which has no usable `trial` row")


def test_reading_needs_a_run_row(rows: SimpleNamespace, write_ledger: WriteLedger, tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"nowhere.*cannot be read: No such file .*give the folder of a run"):
        read_ledger(tmp_path / "nowhere")
    folder = write_ledger(rows.trial("a"))
    with pytest.raises(RunError, match="must hold a usable `run` row, got none"):
        read_ledger(folder)


def three_rows(rows: SimpleNamespace, folder: Path) -> bytes:
    with Ledger(folder / LEDGER_NAME) as ledger:
        for row in (rows.run(), rows.trial("a"), rows.epoch("a", 1, {"accuracy": 0.5}, predictions="有害.parquet")):
            ledger.append(row)
    return (folder / LEDGER_NAME).read_bytes()


def test_a_cut_last_line_is_tolerated_and_mended_wherever_it_was_cut(rows: SimpleNamespace, tmp_path: Path) -> None:
    whole = three_rows(rows, tmp_path)
    path = tmp_path / LEDGER_NAME
    start = whole[:-1].rfind(b"\n") + 1
    for end in range(start, len(whole) + 1):
        complete = end >= len(whole) - 1  # only the newline is missing
        path.write_bytes(whole[:end])
        assert read_ledger(path).problems == []
        assert len(read_ledger(path).trials["a"].epochs) == complete
        with Ledger(path):
            pass
        assert path.read_bytes() == (whole if complete else whole[:start])


def test_appending_goes_on_after_mending(rows: SimpleNamespace, tmp_path: Path) -> None:
    whole = three_rows(rows, tmp_path)
    path = tmp_path / LEDGER_NAME
    path.write_bytes(whole + b'{"schema":1,"kind":"end","tri\x00\x00')
    with Ledger(path) as ledger:
        ledger.append(rows.end("a"))
    assert path.read_bytes().startswith(whole)
    run = read_ledger(path)
    assert (run.problems, run.trials["a"].status) == ([], "completed")


def test_a_file_that_is_one_half_line_becomes_empty(tmp_path: Path) -> None:
    (tmp_path / LEDGER_NAME).write_bytes(b'{"schema"')
    Ledger(tmp_path / LEDGER_NAME).close()
    assert (tmp_path / LEDGER_NAME).read_bytes() == b""


def test_a_second_writer_is_told_who_holds_it(tmp_path: Path) -> None:
    path = tmp_path / LEDGER_NAME
    first = Ledger(path)
    with pytest.raises(RunError, match=f"process {os.getpid()} on .* writes .wait for it, or stop it with Ctrl-C"):
        Ledger(path)
    first.close()
    first.close()
    Ledger(path).close()


WRITER = """
import sys
from rarecall.analysis.runs.ledger import Ledger
ledger = Ledger(sys.argv[1])
for number in range(100_000):
    ledger.append({"kind": "trial", "trial": f"t{number}", "params": {}})
    print(number, flush=True)
"""


def test_kill_9_loses_no_row_that_was_appended(rows: SimpleNamespace, tmp_path: Path) -> None:
    path = tmp_path / LEDGER_NAME
    with Ledger(path) as ledger:
        ledger.append(rows.run())
    with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        told = [next(writer.stdout) for _ in range(20)]
        with pytest.raises(RunError, match=f"process {writer.pid} "):
            Ledger(path)
        writer.send_signal(signal.SIGKILL)
        told += writer.stdout.readlines()
    with Ledger(path):
        run = read_ledger(path)
    assert run.problems == []
    assert len(run.trials) >= len([line for line in told if line.endswith("\n")]) >= 20


FULL_DISK = """
import resource, sys
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import Ledger
ledger = Ledger(sys.argv[1])
row = {"kind": "trial", "trial": "a", "params": {}}
ledger.append(row)
size = ledger.path.stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 20, resource.RLIM_INFINITY))
try:
    ledger.append(row)
except RunError as error:
    print(error)
assert ledger.path.stat().st_size == size
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
ledger.append(row)
assert ledger.path.read_bytes().count(b"\\n") == 2
"""


def test_a_full_disk_leaves_no_half_row(tmp_path: Path) -> None:
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / LEDGER_NAME)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "a row could not be written: File too large (free space there, then resume the run)" in done.stdout


values = st.floats(allow_nan=True, allow_infinity=False) | st.integers(-5, 5)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.dictionaries(st.text(max_size=8), values, max_size=4), max_size=5))
def test_any_metrics_come_back(
    rows: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory, epochs: list[dict[str, float]]
) -> None:
    path = tmp_path_factory.mktemp("run") / LEDGER_NAME
    with Ledger(path) as ledger:
        for row in (rows.run(), rows.trial("a"), *(rows.epoch("a", n, m) for n, m in enumerate(epochs, start=1))):
            ledger.append(row)
    run = read_ledger(path)
    assert run.problems == []
    for read, written in zip(run.trials["a"].epochs, epochs, strict=True):
        assert dict(read.metrics) == pytest.approx(written, abs=0, rel=0, nan_ok=True)


def test_damage_in_the_middle_of_thousands_of_rows(rows: SimpleNamespace, tmp_path: Path) -> None:
    """Rows are parsed a thousand at a time: damage must cost its own line only, with its own number."""
    stamp = {"schema": 1, "time": 0.0}
    lines = [json.dumps(stamp | row) for row in (rows.run(), *(rows.trial(f"t{n}") for n in range(3500)))]
    lines[1200] = lines[1200][:-5]
    lines[2500] = f"{lines[2500]},{lines[2501]}"  # together they would be two sound rows
    lines[2502] = lines[2502].replace('"schema": 1', '"schema": 7')
    path = tmp_path / LEDGER_NAME
    path.write_text("\n".join(lines) + "\n")
    run = read_ledger(path)
    assert len(run.trials) == 3500 - 3
    assert [problem.removeprefix(f"{path}:").partition(":")[0] for problem in run.problems] == ["1201", "2501", "2503"]
    assert "the schema must be version 1, got 7" in run.problems[2]


def test_rows_of_two_writers_are_all_read(rows: SimpleNamespace, write_ledger: WriteLedger, tmp_path: Path) -> None:
    """Two machines on a file system without locks: rows mixed, a trial told by both, one row within another."""
    folder = write_ledger(rows.run(run_id="one"), rows.trial("a", x=1))
    stamp = {"schema": 1, "time": 0.0}
    second = [json.dumps(stamp | row) for row in (rows.run(run_id="two"), rows.epoch("a", 1, {"accuracy": 0.5}))]
    torn = json.dumps(stamp | rows.trial("b"))
    with open(folder / LEDGER_NAME, "a") as file:
        file.write("\n".join([*second, torn[:20] + torn, json.dumps(stamp | rows.end("a"))]) + "\n")
    run = read_ledger(folder)
    assert [header["run_id"] for header in run.headers] == ["one", "two"]
    assert (run.trials["a"].status, len(run.trials["a"].epochs)) == ("completed", 1)
    (problem,) = run.problems
    assert problem.startswith(f"{folder / LEDGER_NAME}:5: not a line of JSON")


def test_the_collector_is_on_again_after_reading(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    assert gc.isenabled()
    read_ledger(write_ledger(rows.run()))
    assert gc.isenabled()


def test_bands_that_cannot_be_read_are_told(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    folder = write_ledger(rows.run(), rows.run(bands={"best": {"criteria": ["recal[x] > 0"]}}))
    run = read_ledger(folder)
    assert run.bands == ()
    assert "did you mean 'recall'" in run.problems[0]


def test_trials_without_an_end_run_while_somebody_writes(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    folder = write_ledger(rows.run(), rows.trial("a"))
    assert not read_ledger(folder).live
    with Ledger(folder / LEDGER_NAME):
        run = read_ledger(folder)
        assert run.live
        assert [one.status for one in standings(run)] == ["running"]
    assert [one.status for one in standings(read_ledger(folder))] == ["interrupted"]
