"""Expected figures of whole runs: which epochs are read, what changes nothing, and a run without a winner."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rarecall.analysis.criteria.verdicts import assess
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.expectations import assessed, expectations
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_json, to_text, winner
from rarecall.analysis.runs.ranking.standings import standings
from rarecall.analysis.runs.run import Run

LABELS = LabelSpace(("common", "rare"), ("rare",))
CRITERIA = ("recall[common] >= 0.70", "recall[rare] >= 0.40")
TRUE = np.repeat([0, 1], [60, 20])
MakeRun = Callable[..., Run]


def guessed(common: float, rare: float, seed: int) -> Predictions:
    """Each row right with the chance of its class."""
    right = np.random.default_rng(seed).random(80) < np.where(TRUE == 1, rare, common)
    return Predictions(np.arange(80), TRUE, np.where(right, TRUE, 1 - TRUE))


@pytest.fixture
def made(rows: SimpleNamespace, write_ledger: Callable[..., Path], tmp_path: Path) -> MakeRun:
    """A run of trials, each a list of predictions of its epochs."""

    def make(*trials: list[Predictions]) -> Run:
        written = [rows.run(labels=LABELS, criteria=CRITERIA)]
        for number, epochs in enumerate(trials):
            name = f"t{number:03d}"
            written.append(rows.trial(name, gamma=1.0))
            for epoch, predictions in enumerate(epochs, start=1):
                path = f"checkpoints/s/{name}-epoch-{epoch:03d}/predictions.parquet"
                write_predictions(tmp_path / path, predictions, LABELS)
                written.append(rows.epoch(name, epoch, evaluate(predictions, LABELS), predictions=path))
            written.append(rows.end(name))
        return read_ledger(write_ledger(*written))

    return make


def test_one_trial_of_one_epoch_has_todays_figures(made: MakeRun) -> None:
    """Clopper and Pearson's interval and the Beta posterior, to the last digit; no column, no sentence."""
    predictions = guessed(0.9, 0.6, 1)
    run = made([predictions])
    found = expectations(run)
    told = assessed(run.trials["t000"].epochs[0], run, found)
    assert told == assess(predictions, LABELS, run.criteria)
    assert (found.method, found.plain()) == ("", None)
    assert "expected" not in to_text(leaderboard(run), run, 120)


def test_the_choice_among_epochs_counts(made: MakeRun) -> None:
    run = made([guessed(0.9, 0.5, seed) for seed in range(12)])
    figure = expectations(run).of("t000")["recall[rare]"]
    assert figure.measured == max(row.metrics["recall[rare]"] for row in run.trials["t000"].epochs)
    assert figure.value < figure.measured - 0.05


def test_epochs_that_cannot_win_change_nothing(made: MakeRun) -> None:
    """30 trials near each other and 90 far below: the first 40 epochs give what all of them give, to the last digit."""
    near = [[guessed(0.9, 0.6, seed)] for seed in range(30)]
    far = [[guessed(0.5, 0.1, 1000 + seed)] for seed in range(90)]
    run = made(*near, *far)
    few, every = expectations(run, first=40), expectations(run, first=1000)
    assert few == every
    assert len(few.by_trial) == 20


def test_where_late_epochs_win_more_are_read(made: MakeRun) -> None:
    run = made(*([guessed(0.9, 0.6, seed)] for seed in range(60)))
    few, every = expectations(run, places=1, first=4), expectations(run, places=1, first=1000)
    first = standings(run)[0].record.trial
    assert few.of(first)["recall[rare]"].value == pytest.approx(every.of(first)["recall[rare]"].value, abs=0.01)


def test_kept_predictions_of_removed_checkpoints_are_used(made: MakeRun) -> None:
    run = made([guessed(0.9, 0.5, seed) for seed in range(6)])
    before = expectations(run)
    for row in run.trials["t000"].epochs:
        stored = run.resolve(row.predictions or "")
        (run.folder / "predictions").mkdir(exist_ok=True)
        stored.rename(run.folder / "predictions" / f"{stored.parent.name}.parquet")
    assert expectations(run) == before


def test_the_order_by_expected_figures(made: MakeRun) -> None:
    run = made(*([guessed(0.9, 0.6, seed)] for seed in range(8)))
    found, ranked = expectations(run, 200), standings(run, "expected")
    figures = [found.of(one.record.trial)["minority_recall"].value for one in ranked]
    assert figures == sorted(figures, reverse=True)
    assert [one.ranked_by for one in ranked] == figures
    assert "By the minority recall that fresh rows should give." in to_text(leaderboard(run, "expected"), run, 120)


def test_a_trial_that_found_no_rare_row_is_no_winner(made: MakeRun) -> None:
    run = made([guessed(0.9, 0.0, 1)], [guessed(0.8, 0.0, 2)])
    assert winner(run) is None
    assert json.loads(to_json(leaderboard(run), run))["winner"] is None
    text = " ".join(to_text(leaderboard(run), run, 80).split())
    assert "No winner: no trial that left a checkpoint found any row of a minority class." in text
    assert "Train for more epochs, search sampling, class weights and the decision rule" in text
    assert "Winner: trial" not in text


def test_the_winner_is_the_first_that_found_a_rare_row(made: MakeRun) -> None:
    """The first meets as many criteria and is off by less, but found none."""
    run = made([guessed(0.98, 0.0, 1)], [guessed(0.2, 0.2, 2)])
    best = winner(run)
    assert best is not None
    assert best.trial == "t001"
    assert "Trial t000 ranks first, but found no rare row." in to_text(leaderboard(run), run, 80)
