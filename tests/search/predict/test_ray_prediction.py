"""`rarecall predict --ray`: the same file as without, also when a worker dies on the way."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
import ray
from click.testing import CliRunner
from ray.util.placement_group import placement_group, remove_placement_group
from rich.console import Console

from rarecall.analysis.errors import RunError
from rarecall.search.cli import rarecall
from rarecall.search.predict import command as module
from rarecall.search.predict import ray_engine as ray_prediction
from rarecall.search.predict.command import PredictOptions, predict, read_experiment
from rarecall.search.predict.ray_engine import ray_engine
from rarecall.trainables.data.reading.unlabelled import Source, chunks, unlabelled
from rarecall.trainables.exported.predictor import load_task
from tests.conftest import RAY_CPUS
from tests.exported_folder import export_folder, texts

QUIET = Console(quiet=True)
ROWS = 48


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("exported") / "classes"
    export_folder(path, "multiclass")
    return path


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": text}) + "\n" for text in texts(ROWS)))
    return path


def test_the_same_rows_with_and_without_a_cluster(
    folder: Path, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "CHUNK_ROWS", 8)
    with source.open("a") as file:
        file.write('{"text": null}\n')
    alone, spread = tmp_path / "alone.jsonl", tmp_path / "spread.jsonl"
    predict(PredictOptions(folder, source, alone, skip=True), QUIET)
    predict(PredictOptions(folder, source, spread, skip=True, ray=True, threads=1), QUIET)
    expected, given = ([json.loads(line) for line in path.read_text().splitlines()] for path in (alone, spread))
    assert [row["row"] for row in given] == list(range(ROWS + 1))
    assert [row.get("predicted") for row in given] == [row.get("predicted") for row in expected]
    assert given[-1]["error"] == expected[-1]["error"] != ""
    for one, other in zip(given[:-1], expected[:-1], strict=True):
        for key in (name for name in other if name.startswith("probability.")):
            assert one[key] == pytest.approx(other[key], abs=1e-4)


def test_a_worker_that_is_killed_comes_back_and_no_chunk_is_lost(folder: Path, source: Path) -> None:
    experiment = read_experiment(folder)
    task = load_task(folder, experiment.task)
    told: list[int] = []
    with ray_engine(folder, experiment, task.label_space, 4, 1, None) as engine:
        parts = chunks(unlabelled(Source(source, experiment.data.text, None, ())), 6)
        results = engine.predicted(parts, told.append)
        first = next(results)
        workers = [one for one in psutil.Process().children(recursive=True) if "ray::Worker" in " ".join(_command(one))]
        assert workers
        os.kill(workers[0].pid, signal.SIGKILL)
        rest = list(results)
    numbers = [row.number for rows, _ in (first, *rest) for row in rows]
    assert numbers == list(range(ROWS))
    assert [predictions is not None and predictions.rows.tolist() for _, predictions in (first, *rest)] == [
        [row.number for row in rows] for rows, _ in (first, *rest)
    ]
    assert sum(told) == ROWS
    assert np.isfinite(np.concatenate([predictions.probabilities for _, predictions in rest])).all()


def test_what_no_cluster_can_do_is_said_before(folder: Path, source: Path, tmp_path: Path) -> None:
    more = str(10 * (os.cpu_count() or 1))
    with pytest.raises(module.InputError, match="--threads") as caught:
        predict(PredictOptions(folder, source, tmp_path / "out.jsonl", ray=True, threads=int(more)), QUIET)
    assert more in str(caught.value)
    assert not (tmp_path / "out.jsonl").exists()
    arguments = ["predict", str(folder), str(source), "-o", str(tmp_path / "out.jsonl"), "--address", "auto"]
    result = CliRunner().invoke(rarecall, arguments)
    assert result.exit_code == 2
    assert "add --ray" in result.output


@pytest.fixture
def occupied(local_ray: str) -> Iterator[Callable[[int], None]]:
    """Reserves CPUs of the cluster, as somebody else's work does."""
    groups = []

    def occupy(cpus: int) -> None:
        groups.append(placement_group([{"CPU": cpus}]))
        ray.get(groups[-1].ready())

    yield occupy
    for group in groups:
        remove_placement_group(group)


def test_workers_that_find_no_room_are_done_without(
    folder: Path, source: Path, occupied: Callable[[int], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_prediction, "LATER_SECONDS", 2.0)
    occupied(RAY_CPUS - 1)
    experiment, told = read_experiment(folder), list[str]()
    task = load_task(folder, experiment.task)
    with ray_engine(folder, experiment, task.label_space, 4, 1, None, told.append) as engine:
        parts = chunks(unlabelled(Source(source, experiment.data.text, None, ())), 6)
        assert sum(len(rows) for rows, _ in engine.predicted(parts, lambda count: None)) == ROWS
    assert told[-1] == f"going on with 1 of {RAY_CPUS} workers: each needs 1 CPU (0 of {RAY_CPUS} free)"


def test_a_cluster_without_room_is_given_up_and_said(
    folder: Path,
    source: Path,
    tmp_path: Path,
    occupied: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(ray_prediction, "HINT_SECONDS", 1.0)
    monkeypatch.setattr(ray_prediction, "START_SECONDS", 2.0)
    occupied(RAY_CPUS)
    room = f"each needs 1 CPU (0 of {RAY_CPUS} free)"
    options = PredictOptions(folder, source, tmp_path / "out.jsonl", ray=True, threads=1)
    with pytest.raises(RunError) as caught:
        predict(options, Console(width=200))
    assert str(caught.value) == f"no worker started in 3 s: {room} (try again when less runs there)"
    assert f"waiting for a worker to start: {room}" in capsys.readouterr().out
    assert not (tmp_path / "out.jsonl").exists()


def _command(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []
