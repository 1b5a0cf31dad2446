"""Whether the best trials differ by more than chance: against the variance of paired shares, worked out by hand."""

from math import ceil, sqrt

import numpy as np
import pytest
from scipy.stats import norm

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger, read_ledger
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_json
from rarecall.analysis.runs.ranking.separation import separation
from rarecall.analysis.runs.ranking.standings import standings
from rarecall.analysis.text.leaderboard import render

LABELS = LabelSpace(("common", "rare"), ("rare",))


def make(folder, rows, right):
    """A run whose trials are right on these rare rows of 100, and on 100 common ones."""
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.append(rows.run(labels=LABELS, criteria=()))
        for trial, of in right.items():
            predicted = np.zeros(200, dtype=np.int64)
            predicted[list(of)] = 1
            found = Predictions(np.arange(200), np.repeat([1, 0], 100), predicted)
            write_predictions(folder / f"{trial}.parquet", found, LABELS)
            ledger.append(rows.trial(trial))
            metrics = evaluate(found, LABELS)
            ledger.append(rows.epoch(trial, 1, metrics, predictions=f"{trial}.parquet"))
            ledger.append(rows.end(trial))
    return read_ledger(folder)


def test_the_rows_that_would_decide_follow_from_the_variance(tmp_path, rows):
    # Right alone: 25 rows of the first, 20 of the third. Variance of the paired difference: (.25 + .20 - .05²) / 100
    run = make(
        tmp_path, rows, {"a": range(60), "b": [*range(5, 60), *range(90, 94)], "c": [*range(35), *range(60, 80)]}
    )
    found = separation(standings(run), run)
    spread = sqrt((0.45 - 0.05**2) / 100)
    assert found.trials == ("a", "b", "c")
    assert found.difference == pytest.approx(0.05)
    assert found.noise == pytest.approx(norm.ppf(0.95) * spread, rel=0.12)
    expected = ceil(100 * ((norm.ppf(0.9) * spread / 0.05) ** 2 - 1))
    assert found.more_rows == pytest.approx(expected, rel=0.3)
    text = " ".join(render(standings(run), run, 100, None).split())
    assert "the difference between the best three, a, b and c, is below chance (5.0 points, chance alone" in text
    assert f"about {found.more_rows:,} more rare rows would decide it; there are 100 now" in text
    assert f'"more_rows": {found.more_rows}' in to_json(leaderboard(run), run)


def test_equal_trials_are_not_told_apart_by_any_number(tmp_path, rows):
    run = make(tmp_path, rows, {"a": range(60), "b": range(1, 61), "c": range(2, 62)})
    assert separation(standings(run), run).more_rows is None
    assert "Take them for equal" in render(standings(run), run, 400, None)


def test_nothing_is_said_where_one_is_surely_better_or_there_are_two(tmp_path, rows):
    clear = make(tmp_path / "clear", rows, {"a": range(90), "b": range(50), "c": range(45)})
    assert separation(standings(clear), clear) is None
    two = make(tmp_path / "two", rows, {"a": range(60), "b": range(1, 61)})
    assert separation(standings(two), two) is None
    assert "decide nothing" not in render(standings(two), two, 100, None)
