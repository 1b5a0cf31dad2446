"""Trials on few of the rows; the best one again on all of them, and that one is the winner."""

import json

import pytest
import yaml

from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.leaderboard import winner
from tests.command_line import rarecall, write_experiment

ROWS = 160
EXPERIMENT = {
    "name": "sampled",
    "data": {
        "path": "rows.jsonl",
        "label": "label",
        "split": {"validation": 0.25, "test": 0.25},
    },
    "task": {"kind": "multiclass"},
    "model": {"max_length": 16, "lora": {"layers": "last 1"}},
    "training": {"epochs": 2, "batch_size": 8, "learning_rate": 3e-3, "class_weights": {"strength": 1.0}},
    "criteria": ["recall[alarm] >= 0.1"],
    "search": {"trials": 2, "stop_early": None},
    "resources": {"slots": 1},
}


# Epochs of 20 of the 80 training rows, 40 of them seen in two; or a sample of 40 that comes twice.
FEW = {"slices": "search.rows=20", "sample": "data.max_train_rows=40"}


@pytest.fixture(scope="module", params=["slices", pytest.param("sample", marks=pytest.mark.slow)])
def way(request):
    return request.param


@pytest.fixture(scope="module")
def folder(way, tmp_path_factory):
    folder = tmp_path_factory.mktemp("refit")
    with (folder / "rows.jsonl").open("w") as file:
        for i in range(ROWS):
            rare = i % 5 == 0
            text = f"engine {i} is on fire" if rare else f"engine {i} runs as always"
            file.write(json.dumps({"text": text, "label": "alarm" if rare else "calm"}) + "\n")
    rarecall(folder, "tune", write_experiment(folder, EXPERIMENT), "--set", FEW[way])
    return folder


@pytest.mark.timeout(300)
def test_the_winner_has_seen_all_rows(folder, way):
    run = read_ledger(folder / "runs" / "sampled")
    sampled = [record for record in run.trials.values() if record.refit_of is None]
    (whole,) = [record for record in run.trials.values() if record.refit_of is not None]
    assert len(sampled) == 2
    assert whole.trial == f"{whole.refit_of}-all"
    # 40 of 80 training rows, a fifth of them alarms; then all 80.
    assert {record.epochs[-1].rows_seen for record in sampled} == {40}
    assert {record.mitigation["alarm"]["rows"] for record in sampled} == {8 if way == "sample" else 16}
    assert whole.epochs[0].rows_seen == 80
    assert (whole.mitigation["alarm"]["rows"], whole.mitigation["calm"]["rows"]) == (16, 64)
    source = run.trials[whole.refit_of]
    assert whole.params == {**source.params, "data.max_train_rows": None, "training.rows_per_epoch": None}
    assert winner(run) is whole
    trained = {"alarm": 8, "calm": 32} if way == "sample" else {"alarm": 16, "calm": 64}
    assert run.header["class_counts"]["train"] == trained
    told = rarecall(folder, "leaderboard", "runs/sampled")
    assert next(line for line in told.splitlines() if line.startswith("1 ")).split()[1] == whole.trial


@pytest.mark.timeout(300)
def test_a_finished_search_has_nothing_left_to_train(folder, way):
    before = (folder / "runs" / "sampled" / "ledger.jsonl").read_text().count('"kind":"epoch"')
    rarecall(folder, "tune", "experiment.yaml", "--resume", "--set", FEW[way])
    assert (folder / "runs" / "sampled" / "ledger.jsonl").read_text().count('"kind":"epoch"') == before


@pytest.mark.timeout(300)
def test_what_is_exported_was_trained_on_all_rows(folder):
    rarecall(folder, "export", "runs/sampled", "-o", "model", "--force")
    kept = yaml.safe_load((folder / "model" / "experiment.yaml").read_text())
    assert kept["data"]["max_train_rows"] is None
    facts = json.loads((folder / "model" / "metrics.json").read_text())
    assert facts["trial"].endswith("-all")
    assert facts["test"]["support[alarm]"] == 8


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_it_can_be_left_out(folder):
    changes = (FEW["sample"], "name=without", "search.refit=0", "search.trials=1")
    rarecall(folder, "tune", "experiment.yaml", *(part for change in changes for part in ("--set", change)))
    assert list(read_ledger(folder / "runs" / "without").trials) == ["t0001"]
