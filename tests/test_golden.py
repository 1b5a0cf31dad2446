"""What earlier versions wrote is still read: runs, ledgers with finalists, exports and predictions."""

import json
import math

import numpy as np
import pytest
from rich.console import Console

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.evaluation.comparison import compared
from rarecall.analysis.evaluation.targets import open_target
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.outside_file import Meaning
from rarecall.analysis.report import write_report
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.finalists import finalists
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_json
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.predict.command import PredictOptions, predict
from rarecall.search.review.diagnose import open_case
from rarecall.search.review.report import gathered
from rarecall.trainables.data.prepare import load_splits
from tests.golden_files import GOLDEN, copy_golden


@pytest.fixture(scope="module")
def golden(tmp_path_factory):
    return copy_golden(tmp_path_factory.mktemp("golden"))


def test_ledger_and_leaderboard_say_what_they_said(golden):
    run = read_ledger(golden / "runs" / "tiers")
    assert run.problems == []
    now = json.loads(to_json(leaderboard(run), run))
    then = json.loads((golden / "leaderboard.json").read_text())
    assert [trial["trial"] for trial in now["trials"]] == [trial["trial"] for trial in then["trials"]]
    for after, before in zip(now["trials"], then["trials"], strict=True):
        assert after["epoch"] == before["epoch"]
        assert after["params"] == before["params"]
        assert after["metrics"] == before["metrics"]
        assert after["status"] == before["status"]


def test_stored_predictions_give_the_metrics_of_the_ledger(golden):
    run = read_ledger(golden / "runs" / "tiers")
    target = open_target(f"{golden / 'runs' / 'tiers'}:t0001")
    row = next(epoch for epoch in run.trials["t0001"].epochs if epoch.epoch == 2)
    measured = evaluate(target.predictions, target.labels)
    assert {key: measured[key] for key in row.metrics if not math.isnan(row.metrics[key])} == pytest.approx(
        {key: value for key, value in row.metrics.items() if not math.isnan(value)}, abs=1e-6
    )


def test_finalists_are_read(golden):
    finals = finalists(read_ledger(golden / "runs" / "tiers"))
    assert [finalist.trial for finalist in finals] == ["t0001", "t0003"]
    # As the terminal said then: 31.2 % of 16 commercial articles, 39.8 % of 166 vaporware.
    labels = open_target(str(golden / "runs" / "tiers") + ":t0001").labels
    values = evaluate(finals[0].predictions, labels)
    assert round(100 * values["recall[commercial]"], 1) == 31.2
    assert round(100 * values["recall[vaporware]"], 1) == 39.8


def test_run_is_compared_diagnosed_and_reported(golden, tmp_path):
    run = str(golden / "runs" / "tiers")
    result = compared(open_target(f"{run}:t0001"), open_target(f"{run}:t0003"))
    assert result.plain()["rows"] == 60
    assert open_case(run).record.trial == "t0001"
    write_report(tmp_path / "report.html", gathered(run, (), Meaning(), 0.9, texts=True), "html")
    assert "t0001" in (tmp_path / "report.html").read_text()


def test_data_are_recognised_as_the_same(golden):
    loaded = load_experiment(golden / "runs" / "tiers" / "experiment.yaml")
    assert loaded.experiment.criteria == ("recall[vaporware] >= 0.5", "mae[*] <= 5", "recall[commercial] >= 0.1")
    header = read_ledger(golden / "runs" / "tiers").header
    splits = load_splits(loaded.experiment, loaded.folder)
    assert splits.is_that_of(header["data_hash"])
    assert splits.class_counts == header["class_counts"]


@pytest.mark.parametrize(
    ("folder", "data", "tolerance"),
    [("exported_whole", "articles.jsonl", 2e-5), ("exported_adapter", "labels.jsonl", 2e-5)],
)
def test_exports_predict_what_they_predicted(golden, tmp_path, folder, data, tolerance):
    output = tmp_path / "predicted.jsonl"
    predict(PredictOptions(golden / folder, golden / data, output), Console(quiet=True))
    now = [json.loads(line) for line in output.read_text().splitlines()]
    then = [json.loads(line) for line in (golden / f"{folder}_predictions.jsonl").read_text().splitlines()]
    assert [row["predicted"] for row in now] == [row["predicted"] for row in then]
    numbers = [key for key, value in then[0].items() if isinstance(value, float)]
    assert numbers
    np.testing.assert_allclose(
        [[row[key] for key in numbers] for row in now], [[row[key] for key in numbers] for row in then], atol=tolerance
    )


def test_criteria_of_the_run_are_still_the_grammar():
    header = json.loads((GOLDEN / "runs" / "tiers" / "ledger.jsonl").read_text().splitlines()[0])
    assert [parse(text, ("pilot", "commercial")).text for text in header["criteria"]] == header["criteria"]
