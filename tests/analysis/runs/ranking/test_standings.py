"""Orders, intervals and verdicts of a run whose trials stored their predictions."""

import json
import math
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rarecall.analysis.errors import RunError
from rarecall.analysis.evaluation.targets import open_target
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.evidence import Evidence
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_json, to_text, winner
from rarecall.analysis.runs.ranking.standings import pareto_set, standings
from rarecall.analysis.runs.run import Run
from rarecall.analysis.uncertainty.intervals import exact

WriteLedger = Callable[..., Path]
LABELS = LabelSpace(("common", "rare"), ("rare",))
CRITERIA = ("recall[common] >= 0.80", "recall[rare] >= 0.40")
BANDS = {
    "best": {"criteria": ["recall[rare] >= 0.9"]},
    "acceptable": {"criteria": ["recall[rare] >= 0.4"], "next_steps": ["collect more rare rows"]},
}


def predicted(common: int, rare: int) -> Predictions:
    """So many right of 50 common and of 10 rare rows."""
    true = np.repeat([0, 1], [50, 10])
    right = np.concatenate([np.arange(50) < common, np.arange(10) < rare])
    return Predictions(np.arange(60), true, np.where(right, true, 1 - true))


@pytest.fixture
def run(rows: SimpleNamespace, write_ledger: WriteLedger, tmp_path: Path) -> Run:
    """sure: both met with room to spare. lucky: better recall, but just enough of the common class. lost: no file."""
    written = [rows.run(labels=LABELS, criteria=CRITERIA, bands=BANDS)]
    for trial, common, rare in (("lucky", 40, 9), ("sure", 48, 7), ("low", 30, 10), ("lost", 45, 6)):
        predictions = predicted(common, rare)
        path = f"checkpoints/{trial}/predictions.parquet"
        if trial != "lost":
            write_predictions(tmp_path / path, predictions, LABELS)
        metrics = evaluate(predictions, LABELS)
        written += [rows.trial(trial, gamma=1.0), rows.epoch(trial, 1, metrics, predictions=path), rows.end(trial)]
    return read_ledger(write_ledger(*written))


def order(run: Run, rank_by: str) -> list[str]:
    return [standing.record.trial for standing in standings(run, rank_by)]  # type: ignore[arg-type]


def test_a_trial_on_all_rows_comes_before_those_on_a_sample(
    rows: SimpleNamespace, write_ledger: WriteLedger, tmp_path: Path
) -> None:
    written = [rows.run(labels=LABELS, criteria=CRITERIA)]
    for trial, origin, common, rare in (("one", "sampler", 48, 7), ("one-all", "all rows: one", 45, 6)):
        metrics = evaluate(predicted(common, rare), LABELS)
        written += [{**rows.trial(trial), "origin": origin}, rows.epoch(trial, 1, metrics), rows.end(trial)]
    found = read_ledger(write_ledger(*written))
    assert order(found, "criteria") == ["one-all", "one"]
    assert (found.trials["one-all"].refit_of, found.trials["one"].refit_of) == ("one", None)
    best = winner(found)
    assert best is not None
    assert best.trial == "one-all"


def test_the_order_can_be_chosen(run: Run) -> None:
    assert order(run, "criteria") == ["lucky", "sure", "lost", "low"]
    assert order(run, "objective") == ["low", "lucky", "sure", "lost"]  # recall of the rare class: 10, 9, 7, 6
    # 40 of 50 reach 80 % with P near one half; of "lost" nothing can be known.
    assert order(run, "probability") == ["sure", "lucky", "low", "lost"]
    assert order(run, "lower_bound") == ["low", "lucky", "sure", "lost"]


def test_what_the_order_went_by_is_told(run: Run) -> None:
    frame = leaderboard(run, "lower_bound").set_index("trial")
    assert 0.55 < frame["lower_bound"]["low"] < 1.0
    assert math.isnan(frame["lower_bound"]["lost"])
    lines = to_text(leaderboard(run, "probability"), run, 80).splitlines()
    assert lines[1].startswith("By the probability that the true values meet all criteria, P(all).")
    assert "P(all)" in lines[5]


def test_outcome_pareto_and_closest_miss(run: Run) -> None:
    frame = leaderboard(run).set_index("trial")
    assert frame["outcome"].to_dict() == {"lucky": "best", "sure": "acceptable", "lost": "acceptable", "low": "best"}
    # Without scores recall is weighed against the violation: "low" has the best recall, "lucky" the best without one.
    assert dict(zip(order(run, "criteria"), pareto_set(standings(run), run), strict=True)) == {
        "lucky": True,
        "sure": False,
        "lost": False,
        "low": True,
    }
    assert frame["closest_miss"]["low"] == "recall[common] >= 0.80"
    assert frame["seconds"]["low"] == 2.5


SCORED = LabelSpace(("low", "high"), ("high",), ("one",))


@pytest.fixture
def two_objectives(rows: SimpleNamespace, write_ledger: WriteLedger) -> Callable[..., Run]:
    """Trials a to e by minority recall, MAE and seconds per epoch; e has no MAE, and two epochs."""
    figures = {"a": (0.9, 2.0, 9.0), "b": (0.7, 1.0, 8.0), "c": (0.6, 1.5, 1.0), "d": (0.7, 1.0, 8.0)}

    def make(second: str | None, objective: str = "minority_recall") -> Run:
        written = [rows.run(SCORED, (), objective=objective, second_objective=second)]
        for trial, (recall, error, seconds) in figures.items():
            metrics = {"minority_recall": recall, "macro_f1": 1 - recall, "mae": error}
            written += [rows.trial(trial), rows.epoch(trial, 1, metrics, seconds=seconds), rows.end(trial)]
        lost = [rows.epoch("e", epoch, {"minority_recall": 0.95}, seconds=0.4) for epoch in (1, 2)]
        return read_ledger(write_ledger(*written, rows.trial("e"), *lost))

    return make


@pytest.mark.parametrize(
    ("objective", "second", "expected"),
    [
        ("minority_recall", None, {"a", "b", "d"}),  # c has less recall than b and more error; of e it is unknown
        ("minority_recall", "mae", {"a", "b", "d"}),
        ("minority_recall", "seconds", {"e"}),  # 0.95 in 0.8 s
        ("macro_f1", "mae", {"b", "d", "c"}),  # 0.3 at 1.0, 0.4 at 1.5; a has 0.1 at 2.0
        ("mae", "macro_f1", {"b", "d", "c"}),
        ("mae", "seconds", {"b", "d", "c"}),  # 1.0 in 8 s, 1.5 in 1 s
    ],
)
def test_the_pareto_set_is_of_the_objectives_that_were_searched_for(
    two_objectives: Callable[..., Run], objective: str, second: str | None, expected: set[str]
) -> None:
    run = two_objectives(second, objective)
    frame = leaderboard(run)
    assert set(frame["trial"][frame["pareto"]]) == expected
    assert json.loads(to_json(frame, run))["run"]["second_objective"] == second


def test_the_text_names_both_objectives_and_has_their_columns(two_objectives: Callable[..., Run]) -> None:
    run = two_objectives("seconds", "mae")
    lines = to_text(leaderboard(run), run, 80).splitlines()
    assert "No trial beats these in both mae and seconds: b, d, c" in lines
    header = next(line for line in lines if "trial" in line and "epoch" in line)
    assert {"mae", "time"} <= set(header.split())
    assert "8 s" in next(line for line in lines if line.split()[1:2] == ["b"])
    plain = two_objectives(None)
    assert "No trial beats these in both minority recall and MAE: a, b, d" in to_text(leaderboard(plain), plain, 80)


def test_a_header_with_a_second_objective_that_nobody_knows_is_a_problem(two_objectives: Callable[..., Run]) -> None:
    with pytest.raises(RunError, match="a metric must be one of"):
        two_objectives("speed")


@pytest.mark.parametrize("width", [80, 120])
def test_verdicts_of_the_winner(run: Run, width: int) -> None:
    lines = to_text(leaderboard(run, "probability"), run, width).splitlines()
    assert max(map(len, lines)) <= width
    start = lines.index("Winner: trial sure, epoch 1 of 1, 2 of 2 criteria met as measured")
    assert lines[start + 1 : start + 6] == [
        "  verdict  criterion               measured  expected  rows     90 %  P(met)",
        "  --------------------------------------------------------------------------",
        "  met      recall[common] >= 0.80    96.0 %    96.0 %    50  88–99 %   >0.99",
        "  met      recall[rare] >= 0.40      70.0 %    70.0 %    10  39–91 %    0.97",
        "  Probability that the true values meet all criteria: 0.97",
    ]
    told = " ".join(line.strip() for line in lines[start + 6 :])
    assert (
        "corrected for the choice among 4 trials and 4 epochs, made again on 300 bootstrap draws of the rows." in told
    )
    assert "Outcome: acceptable; next steps: - collect more rare rows" in told


def test_the_json_holds_the_assessment(run: Run) -> None:
    document = json.loads(to_json(leaderboard(run), run))
    assert document["winner"] == "lucky"
    common, rare = document["assessment"]["findings"]
    assert (common["status"], common["hits"], common["rows"]) == ("undecided", 40, 50)
    # 9 of 10 were measured; on draws that lack the common class, another trial with 7 of 10 wins.
    assert (rare["value"], rare["hits"], rare["rows"]) == (0.9, 9, 10)
    assert 0.8 < rare["expected"] < 0.9
    hits = rare["expected"] * 10
    assert (rare["low"], rare["high"]) == pytest.approx((exact(hits, 10).low, exact(hits, 10).high))
    assert document["correction"] == {"method": "bootstrap of the selection", "trials": 4, "epochs": 4, "draws": 300}
    assert document["trials"][0]["expected"]["recall[rare]"] == rare["expected"]
    assert document["trials"][0]["outcome"] == "best"


def test_stored_predictions_of_other_classes_are_left_out(run: Run) -> None:
    path = run.folder / "checkpoints/sure/predictions.parquet"
    write_predictions(path, predicted(48, 7), LabelSpace(("usual", "odd"), ("odd",)))
    assert order(run, "probability") == ["lucky", "low", "sure", "lost"]
    evidence = Evidence(run)
    assert evidence.assessment(run.trials["sure"].epochs[0]) is None
    assert f"{path}: the classes of true must be among ['common', 'rare'], got ['usual'" in evidence.problems[0]


def test_targets_of_a_run(run: Run) -> None:
    assert open_target(f"{run.folder}:sure").params == {"gamma": 1.0}
    assert open_target(str(run.folder)).name == f"{run.folder}:lucky"
    stored = open_target(str(run.folder / "checkpoints/low/predictions.parquet"))
    assert (stored.labels, len(stored.criteria)) == (LABELS, 2)  # as the run has it, not as the file looks
