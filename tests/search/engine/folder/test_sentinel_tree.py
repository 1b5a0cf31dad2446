"""Hostile folders and archives of every kind, and a tree beside them of which nothing is read, written or deleted."""

import contextlib
import hashlib
import io
import json
import os
import sys
import tarfile
import zipfile

import pytest

from rarecall.analysis.errors import RarecallError
from rarecall.analysis.evaluation.targets import open_target
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_csv, to_text
from rarecall.analysis.runs.run import EpochRow, TrialRecord
from rarecall.search.engine.folder.run_folder import RunFolder
from rarecall.search.predict.command import read_experiment
from rarecall.search.review.diagnose import open_case
from rarecall.search.review.facts import known_facts
from rarecall.trainables.data.reading.records import read_records
from rarecall.trainables.models.bases import resolve_base
from tests.idle_session import HEADER

WATCHED: list[str] = []
SEEN: list[str] = []


def watch(event, arguments):
    """What Python opens, lists, moves or removes below the watched folder."""
    if WATCHED and event in ("open", "os.remove", "os.rename", "os.rmdir", "os.mkdir", "shutil.rmtree", "os.truncate"):
        SEEN.extend(str(one) for one in arguments[:2] if isinstance(one, str | os.PathLike) and WATCHED[0] in str(one))


sys.addaudithook(watch)


@pytest.fixture
def sentinel(tmp_path):
    """A tree outside; afterwards it is what it was, and nobody has opened any of it."""
    tree = tmp_path / "sentinel"
    (tree / "checkpoint").mkdir(parents=True)
    (tree / "checkpoint" / "predictions.parquet").write_bytes(b"secret")
    (tree / "config.json").write_text("{}")
    before = state(tree)
    SEEN.clear()
    WATCHED[:] = [str(tree)]
    yield tree
    WATCHED.clear()
    assert SEEN == []
    assert state(tree) == before


def state(tree):
    return {str(one): hashlib.sha256(one.read_bytes()).hexdigest() for one in sorted(tree.rglob("*")) if one.is_file()}


def epoch(trial="t0001", **changes):
    row = EpochRow(trial, 1, {"minority_recall": 0.5}, [[2, 0], [0, 2]], 0.1, 1.0, 0.0, None, None, 0.5, 1.0)
    return {**row.as_row(), "validation_loss": None, **changes}


def ledger(tmp_path, *rows):
    folder = tmp_path / "run"
    folder.mkdir(exist_ok=True)
    stamped = [{"schema": 1, "time": 1.0, **row} for row in (HEADER, TrialRecord("t0001").as_row(), *rows)]
    (folder / "ledger.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in stamped))
    return folder


def used(folder):
    """Whatever reads a run folder; refusing is as good."""
    run = read_ledger(folder)
    ranked = leaderboard(run, "criteria")
    to_csv(ranked, run)
    to_text(ranked, run, 100)
    for row in [row for record in run.trials.values() for row in record.epochs]:
        attempt(lambda row=row: run.predictions_path(row.predictions or "x").exists())
        attempt(lambda row=row: RunFolder(folder).remove_checkpoint(row.checkpoint or "x"))
    attempt(lambda: open_case(str(folder)))
    attempt(lambda: open_target(f"{folder}:t0001"))


def attempt(action):
    with contextlib.suppress(RarecallError):
        action()


LEADING_OUT = ["../sentinel/checkpoint", "{}/checkpoint", "a/../../sentinel/checkpoint", "link/checkpoint"]


@pytest.mark.parametrize("key", ["checkpoint", "predictions"])
@pytest.mark.parametrize("path", LEADING_OUT)
def test_paths_and_links_of_a_ledger(tmp_path, sentinel, key, path):
    folder = ledger(tmp_path, epoch(**{key: path.format(sentinel)}))
    (folder / "link").symlink_to(sentinel)
    used(folder)


@pytest.mark.parametrize("name", ["../sentinel/x", "t/../../sentinel", "{}/x", "..", "t\0x", ".", "-rf"])
def test_ids_of_trials(tmp_path, sentinel, name):
    used(
        ledger(tmp_path, epoch(name.format(sentinel)), {"kind": "test", "trial": name, "epoch": 1, "predictions": name})
    )


@pytest.mark.parametrize("name", ["../sentinel/config.json", "{}/config.json", "..\\sentinel\\config.json"])
def test_archives_as_data(tmp_path, sentinel, name):
    packed = tmp_path / "d.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{name.format(sentinel)}.csv", "text,label\na,b\n")
    assert read_records(packed, ["text"]).columns == {"text": ["a"]}
    held = io.BytesIO()
    with tarfile.open(fileobj=held, mode="w:gz") as tar:
        tar.addfile(tarfile.TarInfo(name.format(sentinel)))
    (tmp_path / "d.csv.gz").write_bytes(held.getvalue())
    attempt(lambda: read_records(tmp_path / "d.csv.gz", ["text"]))


def test_folders_of_models_and_exports(tmp_path, sentinel):
    base = tmp_path / "base"
    base.mkdir()
    (base / "modules.json").write_text(json.dumps([{"path": "../sentinel"}]))
    assert resolve_base(str(base)).source == str(base)
    (base / "metrics.json").write_text(json.dumps({"validation": {"../sentinel": 1.0}}))
    known_facts(base)
    for name in ("decision_rule.json", "model.safetensors"):
        (base / name).write_text("{}")
    (base / "experiment.yaml").write_text("extends: ../sentinel/config.json\n")
    attempt(lambda: read_experiment(base))


def test_the_watch_sees(tmp_path, sentinel):
    (sentinel / "config.json").read_text()
    assert [str(sentinel / "config.json")] == SEEN
    SEEN.clear()
