"""Baselines in a ledger: never trials, but beside them in leaderboards, comparisons and the sentence on the winner."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest

from rarecall.analysis.evaluation.comparison import compared
from rarecall.analysis.evaluation.targets import open_target
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.report import of_run, page
from rarecall.analysis.runs.baseline import BaselineRow
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.advantage import advantage
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_csv, to_json, to_text, winner
from rarecall.analysis.runs.ranking.standings import baseline_standings, standings
from rarecall.analysis.text.advantage import advantage_text
from rarecall.analysis.uncertainty.intervals import Interval

LABELS = LabelSpace(("common", "rare"), ("rare",))
ROWS, RARE = 200, 100


def found(count):
    """Predictions that find so many of the 100 rare rows and all common ones."""
    true = np.repeat([0, 1], (ROWS - RARE, RARE))
    predicted = true.copy()
    predicted[ROWS - RARE + count :] = 0
    shares = np.eye(2)[predicted] * 0.8 + 0.1
    return Predictions(np.arange(ROWS), true, predicted, probabilities=shares)


def baseline_row(name, predictions, path="baselines/{}.parquet"):
    metrics, confusion = evaluate(predictions, LABELS), confusion_matrix(predictions, LABELS)
    stored = None if path is None else path.format(name)
    return BaselineRow(name, f"the {name}", metrics, confusion, stored, 5000, 2.0, 1.0, (0.0, 0.5), {"strength": 0.3})


@pytest.fixture
def run(rows, write_ledger, tmp_path):
    """A trial that finds 80 of 100 rare rows, and baselines that find 60 and none."""
    predictions = {"trial": found(80), "baseline-weak": found(0), "baseline-strong": found(60)}
    for name, one in predictions.items():
        write_predictions(tmp_path / "baselines" / f"{name}.parquet", one, LABELS)
    metrics = evaluate(predictions["trial"], LABELS)
    path = write_ledger(
        rows.run(LABELS, ("recall[common] >= 0.9",)),
        *(baseline_row(name, predictions[name]).as_row() for name in ("baseline-weak", "baseline-strong")),
        rows.trial("t0001"),
        rows.epoch("t0001", 1, metrics, predictions="baselines/trial.parquet", checkpoint="checkpoints/t0001"),
        rows.end("t0001", "completed"),
    )
    return read_ledger(path)


def test_they_are_read_back_and_are_no_trials(run):
    assert run.problems == []
    assert list(run.trials) == ["t0001"]
    assert list(run.baselines) == ["baseline-weak", "baseline-strong"]
    row = run.baselines["baseline-strong"]
    assert (row.train_rows, row.rule, dict(row.settings)) == (5000, (0.0, 0.5), {"strength": 0.3})
    assert row.metrics["minority_recall"] == 0.6
    assert [one.record.trial for one in baseline_standings(run)] == ["baseline-strong", "baseline-weak"]
    assert not any(one.exportable for one in baseline_standings(run))
    assert winner(run).trial == "t0001"


@pytest.fixture
def with_plain(rows, write_ledger, tmp_path):
    """The search's second trial has no mitigation and finds 70."""
    predictions = {"t0001": found(80), "t0002": found(70), "baseline-strong": found(60)}
    for name, one in predictions.items():
        write_predictions(tmp_path / "baselines" / f"{name}.parquet", one, LABELS)
    told = {}
    for name in ("t0001", "t0002"):
        metrics = evaluate(predictions[name], LABELS)
        told[name] = rows.epoch(name, 1, metrics, predictions=f"baselines/{name}.parquet", checkpoint=f"kept/{name}")
        told[name]["rows_seen"] = 4000
    path = write_ledger(
        rows.run(LABELS, ()),
        baseline_row("baseline-strong", predictions["baseline-strong"]).as_row(),
        rows.trial("t0001"),
        told["t0001"],
        rows.end("t0001", "completed"),
        rows.trial("t0002") | {"origin": "known: no mitigation"},
        told["t0002"],
        rows.end("t0002", "completed"),
    )
    return read_ledger(path)


def test_the_trial_without_mitigation_is_a_baseline_as_well(with_plain):
    assert list(with_plain.trials) == ["t0001", "t0002"]
    first, second = baseline_standings(with_plain)
    assert (first.record.trial, first.best.metrics["minority_recall"]) == ("baseline-no-mitigation", 0.7)
    assert second.record.trial == "baseline-strong"
    ranked = standings(with_plain)
    assert [one.record.trial for one in ranked] == ["t0001", "t0002"]
    # The winner against it; that trial itself against the next one.
    of_winner, of_plain = (advantage(one, with_plain) for one in ranked)
    assert (of_winner.baseline, of_plain.baseline) == ("baseline-no-mitigation", "baseline-strong")
    assert len(open_target(f"{with_plain.folder}:baseline-no-mitigation").predictions) == ROWS
    document = json.loads(to_json(leaderboard(with_plain), with_plain))
    titles = [one["title"] for one in document["baselines"]]
    assert titles == ["the same model without mitigation (t0002, 4,000 rows)", "the baseline-strong"]
    assert "the same model without mitigation" in page(of_run(with_plain))


def test_which_epoch_a_trial_counts_with_does_not_depend_on_a_refit(rows, write_ledger):
    """Its best epoch came before it had seen all rows; that one's checkpoint was kept."""

    def epoch(trial, number, count, seen):
        return rows.epoch(trial, number, evaluate(found(count), LABELS)) | {"rows_seen": seen}

    told = [
        *(rows.trial("t0001"), epoch("t0001", 1, 80, 40), epoch("t0001", 2, 70, 100), rows.end("t0001")),
        *(rows.trial("t0002"), epoch("t0002", 1, 60, 100), rows.end("t0002")),
        *(
            rows.trial("t0001-all") | {"origin": "all rows: t0001"},
            epoch("t0001-all", 1, 50, 100),
            rows.end("t0001-all"),
        ),
    ]
    ranked = standings(read_ledger(write_ledger(rows.run(LABELS, ()), *told)))
    # The trials that have seen all rows by their best epoch come first.
    assert [(one.record.trial, one.best.epoch) for one in ranked] == [("t0002", 1), ("t0001-all", 1), ("t0001", 1)]


def test_a_row_that_lacks_something_is_told(rows, write_ledger, tmp_path):
    path = write_ledger(rows.run(LABELS, ()), baseline_row("baseline-whole", found(1)).as_row())
    with (path / "ledger.jsonl").open("a") as file:
        file.write(json.dumps({"schema": 1, "kind": "baseline", "baseline": "baseline-x", "title": "x"}) + "\n")
    run = read_ledger(path)
    assert list(run.baselines) == ["baseline-whole"]
    assert run.problems == [f"{path / 'ledger.jsonl'}:3: 'metrics' is missing"]


def test_the_leaderboard_has_them_below_its_trials(run):
    text = to_text(leaderboard(run), run, width=100)
    _, below = text.split("Baselines, fitted to all 5,000 training rows and judged as trials are:")
    lines = [line.split() for line in below.splitlines()]
    assert ["baseline-strong", "1/1", "60.0", "%", "100.0", "%", "60.0", "%"] in lines
    assert ["baseline-weak", "1/1", "0.0", "%", "100.0", "%", "0.0", "%"] in lines
    assert (
        "The winner finds 20.0 points more of the rare rows than the best baseline, baseline-strong (90 %: "
        in " ".join(text.split())
    )


def test_csv_and_json_have_them_too(run):
    read = list(csv.DictReader(io.StringIO(to_csv(leaderboard(run), run))))
    assert [(row["rank"], row["trial"], row["status"]) for row in read] == [
        ("1", "t0001", "completed"),
        ("", "baseline-strong", "baseline"),
        ("", "baseline-weak", "baseline"),
    ]
    assert [float(row["minority_recall"]) for row in read] == [0.8, 0.6, 0.0]
    document = json.loads(to_json(leaderboard(run), run))
    assert [one["baseline"] for one in document["baselines"]] == ["baseline-strong", "baseline-weak"]
    strong = document["baselines"][0]
    assert (strong["criteria_met"], strong["metrics"]["recall[rare]"]) == (1, 0.6)
    assert strong["confusion"] == [[100, 0], [40, 60]]
    assert document["advantage"]["baseline"] == "baseline-strong"
    assert document["advantage"]["surely_better"] is True


def test_the_interval_is_that_of_the_same_rows(run):
    """20 of 100 rows that only the trial has right: a share of .20, ± 1.645 · √(.2 · .8 / 100) = .066."""
    told = advantage(standings(run)[0], run)
    assert (told.value, told.baseline_value) == (0.8, 0.6)
    assert told.interval.low == pytest.approx(0.134, abs=0.015)
    assert told.interval.high == pytest.approx(0.266, abs=0.015)
    assert told.surely_better
    assert told.better > 0.99


def test_they_can_be_compared_and_evaluated(run):
    names = [f"{run.folder}:t0001", f"{run.folder}:baseline-strong"]
    first, second = (open_target(name) for name in names)
    assert second.params == {"strength": 0.3}
    comparison = compared(first, second)
    assert (comparison.mcnemar.only_first, comparison.mcnemar.only_second) == (20, 0)


SAID = {
    (0.8, 0.6, 0.134, 0.266): "The winner finds 20.0 points more of the rare rows than the best baseline, baseline-a "
    "(90 %: 13.4 to 26.6 points); of 3 criteria it meets 3, the baseline 2.",
    (0.62, 0.6, -0.05, 0.09): "The winner is not surely better than the best baseline, baseline-a: minority recall "
    "62.0 % to 60.0 % (90 %: -5.0 to 9.0 points); of 3 criteria it meets 3, the baseline 2.",
    (0.4, 0.6, -0.3, -0.1): "The winner is surely worse than the best baseline, baseline-a: minority recall 40.0 % to "
    "60.0 % (90 %: -30.0 to -10.0 points); of 3 criteria it meets 3, the baseline 2.",
}


@pytest.mark.parametrize("figures", SAID)
def test_the_sentence_says_what_is_sure(run, figures):
    value, other, low, high = figures
    told = replace(
        advantage(standings(run)[0], run),
        baseline="baseline-a",
        value=value,
        baseline_value=other,
        interval=Interval(low, high),
        trial_met=3,
        baseline_met=2,
    )
    assert advantage_text(told, 3) == SAID[figures]


def test_an_error_is_better_where_it_is_smaller(run):
    told = replace(
        advantage(standings(run)[0], run), key="mae", value=1.0, baseline_value=1.5, interval=Interval(-0.7, -0.3)
    )
    smaller = replace(told, smaller_is_better=True)
    assert (told.surely_worse, smaller.surely_better, smaller.surely_worse) == (True, True, False)
    assert advantage_text(smaller, 0) == (
        "The winner is better than the best baseline, baseline-strong: mae 1 to 1.50 (90 %: -0.70 to -0.30)."
    )


def test_without_predictions_or_with_other_rows_nothing_is_said(run, tmp_path):
    standing = standings(run)[0]
    write_predictions(tmp_path / "baselines" / "baseline-strong.parquet", found(60).take(np.arange(50, 200)), LABELS)
    assert advantage(standing, run) is None
    (tmp_path / "baselines" / "baseline-strong.parquet").unlink()
    assert advantage(standing, run) is None
    assert advantage(None, run) is None
    assert json.loads(to_json(leaderboard(run), run))["advantage"] is None


def test_the_report_has_them_under_verdict_and_leaderboard(run):
    html = page(of_run(run))
    assert "<caption>Baselines, fitted to all 5,000 training rows</caption>" in html
    assert "the baseline-strong" in html
    assert "The winner finds 20.0 points more of the rare rows than the best baseline, baseline-strong" in html
    without = page(of_run(replace(run, baselines={})))
    assert "Baselines, fitted to" not in without
    assert "best baseline" not in without
