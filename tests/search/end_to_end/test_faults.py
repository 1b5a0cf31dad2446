"""What accidents cost a search: at most the epoch in flight, and the user is told; see docs/faults.md."""

import csv
import os
import resource
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
import ray
import yaml

from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.search.cli import main
from tests.conftest import RAY_CPUS
from tests.faulty_search import HEADER, OPENING, FaultySearch, hangs, killed, names_of, small_files, stopped
from tests.own_session import end_session

LOST = "the worker group ended: rank 0: The actor died unexpectedly before finishing this task."


def epochs(run, trial):
    return [row.epoch for row in run.trials[trial].epochs]


def begun_after(run, trial):
    """For each epoch, after which one its trial had begun in the process that ran it."""
    return [row.metrics["first"] for row in run.trials[trial].epochs]


def pids(run, trial):
    return [row.metrics["pid"] for row in run.trials[trial].epochs]


def statuses(run):
    return {name: record.status for name, record in run.trials.items()}


def assert_whole(run, states, trials):
    """Exactly so many trials, each with all its epochs, none told twice, none left running in the study."""
    assert run.problems == []
    assert statuses(run) == dict.fromkeys(names_of(trials), "completed")
    assert all(epochs(run, name) == [1, 2, 3] for name in run.trials)
    assert states == ["COMPLETE"] * trials


@pytest.fixture(scope="module")
def under_pressure(local_ray, tmp_path_factory):
    """Two slots and six trials: workers die at their start, in an epoch, while they save, and again and again."""
    accidents = {
        OPENING: (killed, 1),
        ("t0002", 2): (killed, 1),
        ("t0003", 2, "saving"): (killed, 1),
        ("t0004", 2): (killed, 99),
    }
    search = FaultySearch(tmp_path_factory.mktemp("pressure"), 6, accidents, slots=2, seconds=0.5)
    return search, search.run()


@pytest.mark.timeout(900)
def test_a_worker_that_is_killed_costs_its_epoch_and_no_other_slot_notices(under_pressure):
    search, run = under_pressure
    assert run.problems == []
    ended = statuses(run)
    assert ended.pop("t0004") == "failed"
    assert ended == dict.fromkeys(["t0001", "t0002", "t0003", "t0005", "t0006"], "completed")
    assert all(epochs(run, name) == [1, 2, 3] for name in ended)
    assert begun_after(run, "t0002") == [0, 1, 1]
    before, after, again = pids(run, "t0002")
    assert before != after == again
    assert f"t0002: {LOST}" in search.told
    # Each of the others ran in one process from its beginning to its end.
    assert all(len(set(pids(run, name))) == 1 and begun_after(run, name) == [0, 0, 0] for name in ("t0005", "t0006"))


@pytest.mark.timeout(900)
def test_a_checkpoint_that_is_half_written_is_never_used(under_pressure):
    search, run = under_pressure
    assert begun_after(run, "t0003") == [0, 1, 1]
    assert f"t0003: {LOST}" in search.told
    kept = [row.checkpoint for row in run.trials["t0003"].epochs if run.resolve(row.checkpoint).exists()]
    assert len(kept) == 2
    assert all((run.resolve(checkpoint) / "state.json").exists() for checkpoint in kept)


@pytest.mark.timeout(900)
def test_a_slot_that_dies_at_its_start_starts_again(under_pressure):
    search, _ = under_pressure
    assert [told for told in search.told if "a slot did not start" in told] == [
        told for told in search.told if told.endswith(f": a slot did not start: {LOST}")
    ]
    assert any(told.endswith(f": a slot did not start: {LOST}") for told in search.told)


@pytest.mark.timeout(900)
def test_a_trial_that_keeps_killing_its_worker_fails_with_the_reason(under_pressure):
    search, run = under_pressure
    assert (run.trials["t0004"].status, run.trials["t0004"].end.reason) == ("failed", LOST)
    assert epochs(run, "t0004") == [1]
    assert search.told.count(f"t0004: {LOST}") == 2
    # The start of a slot is not the trial's fault, but counts among its tries.
    assert sorted(search.states()) == ["COMPLETE"] * 5 + ["FAIL"]


@pytest.mark.timeout(900)
def test_what_dead_slots_had_reserved_is_free_again(under_pressure):
    deadline = time.monotonic() + 30
    while ray.available_resources().get("CPU", 0) < RAY_CPUS:
        assert time.monotonic() < deadline, ray.util.placement_group_table()
        time.sleep(0.2)


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_half_dead_slots_are_noticed_killed_and_replaced(local_ray, tmp_path):
    accidents = {("t0001", 2): (stopped, 1), ("t0002", 2): (hangs, 1)}
    search = FaultySearch(tmp_path, 3, accidents, slots=2, epoch_timeout=40)
    run = search.run()
    assert_whole(run, search.states(), 3)
    for name in ("t0001", "t0002"):
        assert begun_after(run, name) == [0, 1, 1]
        assert f"{name}: the worker group gave no answer in 40 s (resources.epoch_timeout)" in search.told
        assert not psutil.pid_exists(int(pids(run, name)[0]))


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_slot_that_loses_one_of_its_helpers_comes_back(local_ray, tmp_path):
    """Tune's own actor, the controller of the worker group, the mailbox between the two."""
    helpers = {"t0001": "ray::Slot", "t0002": "ray::TrainController", "t0003": "ray::Mailbox"}

    def kill_helper(name):
        epoch = search.earlier[name].epochs[-1:] if name in search.earlier else []
        if epoch and epoch[0].epoch == 1 and name in helpers:
            raylet, title = psutil.Process(int(epoch[0].metrics["pid"])).parent(), helpers.pop(name)
            titles = {child.pid: " ".join(child.cmdline()).strip() for child in raylet.children()}
            helpers_of = [pid for pid, shown in titles.items() if shown.startswith(title)]
            assert helpers_of, (title, titles)
            os.kill(helpers_of[-1], signal.SIGKILL)

    search = FaultySearch(tmp_path, 4, seconds=1.0)
    assert_whole(search.run(kill_helper), search.states(), 4)
    assert not helpers


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_search_ends_with_the_reason_where_no_slot_starts(local_ray, tmp_path):
    search = FaultySearch(tmp_path, 4, {OPENING: (killed, 99)})
    with pytest.raises(RunError) as caught:
        search.run()
    assert str(caught.value) == f"{tmp_path}: a slot did not start: {LOST} (mend that, then resume the run)"
    assert "completed" not in statuses(read_ledger(tmp_path)).values()
    assert "failed" not in statuses(read_ledger(tmp_path)).values()
    mended = FaultySearch(tmp_path, 4)
    assert_whole(mended.run(), mended.states(), 4)


@pytest.mark.timeout(900)
def test_a_disk_that_is_full_under_a_worker_ends_the_search_and_fails_no_trial(local_ray, tmp_path):
    search = FaultySearch(tmp_path, 3, {("t0002", 2, "saving"): (small_files, 1)})
    with pytest.raises(RunError) as caught:
        search.run()
    told = "t0002-epoch-002 could not be written: OSError: [Errno 27] File too large (free space there, then resume"
    assert told in str(caught.value)
    assert statuses(read_ledger(tmp_path)) == {"t0001": "completed", "t0002": "running"}
    freed = FaultySearch(tmp_path, 3)
    run = freed.run()
    assert_whole(run, freed.states(), 3)
    assert begun_after(run, "t0002") == [0, 1, 1]


@pytest.mark.timeout(900)
def test_a_ledger_that_cannot_grow_ends_the_search_as_it_was(local_ray, tmp_path):
    """A limit on the size of this process's files stands in for the disk; the system refuses the write the same way."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ledger = tmp_path / "ledger.jsonl"

    def fill(name):
        if name == "t0002":
            resource.setrlimit(resource.RLIMIT_FSIZE, (ledger.stat().st_size + 10, before[1]))

    try:
        with pytest.raises(RunError) as caught:
            FaultySearch(tmp_path, 3).run(fill)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "ledger.jsonl: a row could not be written: File too large (free space there, then" in str(caught.value)
    assert statuses(read_ledger(tmp_path)) == {"t0001": "completed", "t0002": "running"}
    freed = FaultySearch(tmp_path, 3)
    assert_whole(freed.run(), freed.states(), 3)


@pytest.mark.timeout(900)
def test_a_search_goes_on_elsewhere_and_from_the_last_checkpoint_that_is_whole(local_ray, tmp_path):
    FaultySearch(tmp_path / "here", 3, slots=2).run()
    # As it is on another machine, where the same storage has another path.
    folder = shutil.move(tmp_path / "here", tmp_path / "there")
    ledger = folder / "ledger.jsonl"
    assert str(tmp_path) not in ledger.read_text()
    rows = [line for line in ledger.read_text().splitlines(keepends=True) if '"kind":"end"' not in line]
    ledger.write_text(
        "".join(rows) + '{"schema":1,"kind":"end","trial":"t0003","status":"completed","reason":"","time":1}\n'
    )
    written = {name: [folder / row.checkpoint for row in r.epochs] for name, r in read_ledger(ledger).trials.items()}
    (written["t0001"][2] / "state.json").write_text('{"epo')
    (written["t0002"][2] / "state.json").unlink()
    shutil.rmtree(written["t0002"][1])
    search = FaultySearch(folder, 3, slots=2)
    truncated, lost = (path[2].relative_to(folder) for path in (written["t0001"], written["t0002"]))
    assert set(search.told) == {
        f"note: checkpoint {truncated} is damaged: state.json has 5 of 12 bytes; t0001 resumes after epoch 2",
        f"note: checkpoint {lost} lacks state.json; t0002 begins again",
    }
    run = search.run()
    assert_whole(run, search.states(), 3)
    assert begun_after(run, "t0001") == [0, 0, 2]
    assert begun_after(run, "t0002") == [0, 0, 0]
    assert len({*pids(run, "t0002")} & {*pids(run, "t0001")[:2]}) == 0


@pytest.fixture
def messages(tmp_path):
    """An experiment that could run, in a folder of its own."""
    with (tmp_path / "messages.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *((f"row {i}", "ab"[i % 5 == 0]) for i in range(40))])
    experiment = tmp_path / "experiment.yaml"
    data = {"path": "messages.csv", "label": "label", "split": {"validation": 0.3, "test": 0}}
    tree = {"name": "small", "data": data, "task": {"kind": "multiclass"}, "model": {"base": "tiny-bert"}}
    experiment.write_text(yaml.safe_dump(tree))
    return experiment


def refused(monkeypatch, capsys, *arguments):
    """What the command says, which must end with exit code 2 before any Ray is started."""
    monkeypatch.setattr(sys, "argv", ["rarecall", *map(str, arguments)])
    monkeypatch.setattr(ray, "init", None)
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    return capsys.readouterr().err


def test_a_storage_that_cannot_be_written_is_refused_before_anything_starts(messages, monkeypatch, capsys):
    told = refused(monkeypatch, capsys, "tune", messages, "--set", "storage.path=/proc/runs")
    assert "rarecall: /proc/runs/small: cannot be written (" in told
    assert "set storage.path to a folder that can" in told


def test_a_second_search_on_a_run_folder_is_told_who_holds_it(messages, monkeypatch, capsys):
    folder = messages.parent / "runs" / "small"
    with Ledger(folder / "ledger.jsonl") as ledger:
        ledger.append(HEADER)
        told = refused(monkeypatch, capsys, "tune", messages, "--resume")
        assert f"a run may have one writer, got a second while process {os.getpid()} on " in told
        assert "(wait for it, or stop it with Ctrl-C, then try again)" in told
        assert "a run exists already" in refused(monkeypatch, capsys, "tune", messages)
        assert "got a second while process" in refused(monkeypatch, capsys, "tune", messages, "--overwrite")
    assert (folder / "ledger.jsonl").read_text().count("\n") == 1


class Driver:
    """A driver with a Ray of its own, in a session of its own so that all of it can be ended."""

    def __init__(self, folder, trials, seconds, *arguments):
        command = [sys.executable, "-m", "tests.faulty_search", folder, "--trials", trials, "--seconds", seconds]
        self.process = subprocess.Popen(
            [*map(str, command), *map(str, arguments)], stderr=subprocess.PIPE, text=True, start_new_session=True
        )

    def __enter__(self):
        return self

    def __exit__(self, *_):
        end_session(self.process)
        self.process.stderr.close()

    def wait_for_epochs(self, ledger, count):
        deadline = time.monotonic() + 300
        while not ledger.exists() or ledger.read_text().count('"kind":"epoch"') < count:
            assert self.process.poll() is None, self.process.stderr.read()
            assert time.monotonic() < deadline
            time.sleep(0.2)

    def kill_part_of_ray(self, name):
        (part,) = [child for child in psutil.Process(self.process.pid).children() if child.name() == name]
        part.kill()

    def ends(self, within):
        """Exit code and what was told of ours."""
        _, told = self.process.communicate(timeout=within)
        return self.process.returncode, [line for line in told.splitlines() if line.startswith("rarecall: ")]


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_ray_that_goes_down_ends_the_search_which_can_go_on(tmp_path):
    ledger, written = tmp_path / "ledger.jsonl", 0
    for part in ("raylet", "gcs_server"):
        with Driver(tmp_path, 3, 3) as driver:
            driver.wait_for_epochs(ledger, written + 1)
            driver.kill_part_of_ray(part)
            code, told = driver.ends(within=60)
        assert code == 2
        assert len(told) == 1
        assert told[0].startswith("rarecall: Ray at ")
        assert told[0].endswith(" is gone; what was finished is kept (resume the run)")
        written = ledger.read_text().count('"kind":"epoch"')
    with Driver(tmp_path, 3, 0) as driver:
        assert driver.ends(within=300) == (0, [])
    run = read_ledger(tmp_path)
    assert run.problems == []
    assert statuses(run) == dict.fromkeys(names_of(3), "completed")
    # No epoch was trained twice: 3 trials of 3 epochs.
    assert ledger.read_text().count('"kind":"epoch"') == 9


# One folder on a disk of its own, which is full before the search ends, and made larger afterwards.
ON_A_SMALL_DISK = """
set -u
mount -t tmpfs -o size=600k tmpfs "$1"
"$2" -m tests.faulty_search "$1" --trials 4 --weight 60000 2> "$3"; echo "full: $?"
mount -o remount,size=20m "$1"
"$2" -m tests.faulty_search "$1" --trials 4 --weight 60000 2>> "$3"; echo "freed: $?"
cp "$1/ledger.jsonl" "$4"
"""


def may_mount():
    return not subprocess.run(["unshare", "-Urm", "true"], capture_output=True, check=False).returncode


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.skipif(not may_mount(), reason="needs a mount of its own, which this system does not permit")
def test_a_disk_that_runs_full_ends_the_search_which_goes_on_when_there_is_space(tmp_path):
    disk, told, ledger = tmp_path / "disk", tmp_path / "told.txt", tmp_path / "ledger.jsonl"
    disk.mkdir()
    command = ["unshare", "-Urm", "sh", "-c", ON_A_SMALL_DISK, "sh", disk, sys.executable, told, ledger]
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=600, check=True)
    assert [line for line in done.stdout.splitlines() if ": " in line] == ["full: 2", "freed: 0"]
    (line,) = [line for line in told.read_text().splitlines() if line.startswith("rarecall: ")]
    assert "No space left on device" in line
    assert line.endswith("(free space there, then resume the run)")
    run = read_ledger(ledger)
    assert statuses(run) == dict.fromkeys(names_of(4), "completed")
    assert all(epochs(run, name) == [1, 2, 3] for name in run.trials)
