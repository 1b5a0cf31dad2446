import csv
import io
import json
import math
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.leaderboard import FIXED_COLUMNS, leaderboard, to_csv, to_json, to_text, winner
from rarecall.analysis.runs.run import Run
from rarecall.analysis.text.table import cell_len

WriteLedger = Callable[..., Path]
CRITERIA = ("recall[common] >= 0.80", "recall[rare] >= 0.40")
LABELS = LabelSpace(("common", "rare"), ("rare",))


def metrics(common: float, rare: float) -> dict[str, float]:
    return {
        "recall[common]": common,
        "recall[rare]": rare,
        "minority_recall": rare,
        "support[common]": 50.0,
        "support[rare]": 6.0,
    }


@pytest.fixture
def run(rows: SimpleNamespace, write_ledger: WriteLedger) -> Run:
    """Six trials that differ in one thing each."""
    return read_ledger(
        write_ledger(
            rows.run(labels=LABELS, criteria=CRITERIA),
            rows.trial("crashed", **{"training.loss.gamma": 0.0}),
            rows.end("crashed", "failed", "out of memory"),
            rows.trial("waiting", **{"training.loss.gamma": 1.0}),
            rows.trial("low", **{"training.loss.gamma": 2.0}),
            rows.epoch("low", 1, metrics(0.70, 5 / 6)),  # meets 1, violation 0.10
            rows.end("low"),
            rows.trial("both", **{"training.loss.gamma": 3.0}),
            rows.epoch("both", 1, metrics(0.90, 1 / 6)),
            rows.epoch("both", 2, metrics(0.85, 3 / 6)),  # meets both: the best epoch
            rows.epoch("both", 3, metrics(0.75, 6 / 6)),
            rows.trial("near", **{"training.loss.gamma": 4.0}),
            rows.epoch("near", 1, metrics(0.79, 4 / 6)),  # meets 1, violation 0.01
            rows.end("near", "stopped"),
            rows.trial("broken", **{"training.loss.gamma": 5.0}),
            rows.epoch("broken", 1, metrics(0.95, 5 / 6)),  # meets both with a better recall, but failed later
            rows.end("broken", "failed", "the loss is not finite"),
        )
    )


def test_order_and_columns(run: Run) -> None:
    frame = leaderboard(run)
    assert list(frame) == [*FIXED_COLUMNS, *CRITERIA, "training.loss.gamma"]
    assert frame["trial"].tolist() == ["broken", "both", "near", "low", "waiting", "crashed"]
    assert frame["rank"].tolist() == [1, 2, 3, 4, 5, 6]
    assert frame["status"].tolist() == ["failed", "interrupted", "stopped", "completed", "interrupted", "failed"]
    both = frame.set_index("trial").loc["both"]
    assert (both["epoch"], both["epochs"], both["criteria_met"], both["criteria_total"]) == (2, 3, 2, 2)
    assert (both["minority_recall"], both["violation"], both["score"]) == (0.5, 0.0, 0.5)
    assert (both[CRITERIA[0]], both["training.loss.gamma"]) == (0.85, 3.0)
    low = frame.set_index("trial").loc["low"]
    assert low["violation"] == pytest.approx(0.1)
    assert low["score"] == pytest.approx(5 / 6 - 0.1)
    assert frame["epoch"].isna().tolist() == [False] * 4 + [True] * 2
    assert frame["score"].isna().tolist() == [False] * 4 + [True] * 2


def test_the_winner_did_not_fail_and_left_a_checkpoint(
    run: Run, rows: SimpleNamespace, write_ledger: WriteLedger
) -> None:
    best = winner(run)
    assert best is not None
    assert best.trial == "both"
    write_ledger(rows.epoch("both", 2, metrics(0.85, 3 / 6), checkpoint=None))
    second = winner(read_ledger(run.folder))
    assert second is not None
    assert second.trial == "near"


def test_csv_holds_the_whole_frame(run: Run) -> None:
    read = list(csv.DictReader(io.StringIO(to_csv(leaderboard(run)))))
    assert [row["trial"] for row in read] == leaderboard(run)["trial"].tolist()
    assert (read[1]["recall[rare] >= 0.40"], read[1]["epoch"], read[5]["score"]) == ("0.5", "2", "")


def test_json_has_stable_keys_and_verdicts(run: Run) -> None:
    document = json.loads(to_json(leaderboard(run), run))
    first = ["run", "winner", "assessment", "test", "decision", "advantage", "separation", "correction"]
    assert list(document) == [*first, "problems", "baselines", "trials"]
    assert document["assessment"] is None  # the run stored no predictions
    assert document["winner"] == "both"
    assert document["run"]["criteria"] == list(CRITERIA)
    own = ("criteria", "params", "origin", "metrics", "expected", "train_metrics")
    more = (*own, "confusion", "checkpoint", "predictions")
    assert {tuple(trial) for trial in document["trials"]} == {(*FIXED_COLUMNS, *more)}
    low = document["trials"][3]
    assert low["criteria"] == [
        {"text": CRITERIA[0], "value": 0.7, "status": "missed", "violation": pytest.approx(0.1)},
        {"text": CRITERIA[1], "value": 5 / 6, "status": "met", "violation": 0.0},
    ]
    assert low["params"] == {"training.loss.gamma": 2.0}
    crashed = document["trials"][5]
    assert (crashed["epoch"], crashed["score"], crashed["criteria"], crashed["metrics"]) == (None, None, [], {})


def test_text(run: Run) -> None:
    assert to_text(leaderboard(run), run, width=80).splitlines() == [
        "demo: 6 trials (1 completed, 1 stopped, 2 interrupted, 2 failed)",
        "By criteria met, then by how far the others are missed, then minority recall.",
        "Class columns: recall on validation data.",
        "",
        "                   criteria  minority  common    rare",
        "#  trial    epoch       met    recall    n=50     n=6  status       gamma",
        "-------------------------------------------------------------------------",
        "1  broken       1       2/2    83.3 %  95.0 %  83.3 %  failed           5",
        "2  both         2       2/2    50.0 %  85.0 %  50.0 %  interrupted      3",
        "3  near         1       1/2    66.7 %  79.0 %  66.7 %  stopped          4",
        "4  low          1       1/2    83.3 %  70.0 %  83.3 %  completed        2",
        "5  waiting      -         -         -       -       -  interrupted      1",
        "6  crashed      -         -         -       -       -  failed           0",
        "",
        "Recall of the minority classes with 90 % intervals, by the rows of validation",
        "data:",
        "                      rare",
        "#  trial               n=6",
        "--------------------------",
        "1  broken  83.3 %  42–99 %",
        "2  both    50.0 %  15–85 %",
        "3  near    66.7 %  27–94 %",
        "4  low     83.3 %  42–99 %",
        "",
        "Trial broken ranks first, but failed.",
        "Winner: trial both, epoch 2 of 3, 2 of 2 criteria met as measured",
        "  met        recall[common] >= 0.80  85.0 % (42 of 50)",
        "  met        recall[rare] >= 0.40    50.0 % (3 of 6)",
        "  No intervals: the stored predictions of this trial cannot be read.",
        "  training.loss.gamma=3",
        "",
        "Training took 15 s in all, its slots together, 8 s for each trial that meets all",
        "criteria.",
    ]


def test_text_names_the_closest_miss_and_what_is_undecided(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    criteria = ("recall[common] >= 0.80", "recall[*] >= 0.50", "accuracy >= 0.50", "support[common] == 60")
    values = metrics(0.78, 2 / 6)
    folder = write_ledger(
        rows.run(labels=LABELS, criteria=criteria), rows.trial("a"), rows.epoch("a", 1, values, checkpoint=None)
    )
    run = read_ledger(folder)
    assert to_text(leaderboard(run), run).splitlines()[-10:-2] == [
        "No winner: every trial failed or left no checkpoint. The first of the table:",
        "Best: trial a, epoch 1 of 1, 0 of 4 criteria met as measured",
        "  missed     recall[common] >= 0.80  78.0 % (39 of 50)",
        "  missed     recall[*] >= 0.50       33.3 % (rare, 2 of 6)",
        "  undecided  accuracy >= 0.50        not measured",
        "  missed     support[common] == 60   50",
        "  No intervals: the stored predictions of this trial cannot be read.",
        "  Closest miss: recall[common] >= 0.80, 2.0 points short",
    ]


def test_a_class_without_rows_is_undecided(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    values = metrics(0.9, math.nan) | {"support[rare]": 0.0}
    folder = write_ledger(
        rows.run(labels=LABELS, criteria=("recall[rare] >= 0.4", "recall[*] >= 0.5")),
        rows.trial("a"),
        rows.epoch("a", 1, values),
    )
    run = read_ledger(folder)
    assert to_text(leaderboard(run), run).splitlines()[-5:-3] == [
        "  undecided  recall[rare] >= 0.4  no rows in the validation data",
        "  undecided  recall[*] >= 0.5     90.0 % (common, 45 of 50, others have no rows)",
    ]


def test_another_objective_orders_and_has_its_column(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    folder = write_ledger(
        rows.run(labels=LABELS, criteria=(), objective="recall[common]"),
        rows.trial("a"),
        rows.epoch("a", 1, metrics(0.6, 0.9)),
        rows.trial("b"),
        rows.epoch("b", 1, metrics(0.7, 0.1)),
    )
    run = read_ledger(folder)
    lines = to_text(leaderboard(run), run).splitlines()
    assert lines[1].startswith("By criteria met, then by how far the others are missed, then recall[common].")
    assert "recall[common]" in lines[5]
    assert lines[7].split()[:2] == ["1", "b"]


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_the_table_of_a_real_run_fits(twelve_trials: Path, width: int) -> None:
    run = read_ledger(twelve_trials)
    lines = to_text(leaderboard(run), run, width).splitlines()
    table = lines[: next(index for index, line in enumerate(lines) if line.startswith("Winner"))]
    assert max(map(len, lines if width >= 80 else table)) <= width
    header = next(line for line in lines if " epoch " in line)
    shown = {60: ["n=14", "n=3"], 80: ["n=169", "n=23", "n=14", "n=3", "ratio"]}
    wide = [*shown[80][:4], "status", "ratio", "strength", "gamma", "rank"]
    for name in shown.get(width, wide):
        assert name in header.split()
    assert ("rate" in header.split()) == (width == 200)
    assert "epochs" not in header.split()  # the same in all trials
    assert ("2 more classes: --json holds all." in lines) == (width == 60)


def test_the_limit_cuts_the_table_only(twelve_trials: Path) -> None:
    run = read_ledger(twelve_trials)
    lines = to_text(leaderboard(run), run, 80, limit=3).splitlines()
    assert "9 more trials below; --csv and --json hold all." in lines
    assert lines[0].startswith("demo: 12 trials (8 completed, 2 stopped, 1 interrupted, 1 failed)")
    assert not any(line.startswith(" 4") for line in lines)
    everything = to_text(leaderboard(run), run, 80, limit=None)
    assert "12  t07" in everything
    assert "more trials" not in everything


def test_wide_characters_and_like_names_stay_aligned(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    labels = LabelSpace(("安全", "有害", *(f"class_number_{index}" for index in range(30))), ("有害",))
    recalls = {f"recall[{name}]": 0.5 for name in labels.classes}
    header = rows.run(criteria=("recall[有害] >= 0.4",), labels=labels)
    run = read_ledger(write_ledger(header, rows.trial("試行"), rows.epoch("試行", 1, recalls)))
    lines = to_text(leaderboard(run), run, 80).splitlines()
    assert asdict(run.labels)["classes"] == labels.classes
    assert all(cell_len(line) <= 80 for line in lines)
    table = lines[lines.index(next(line for line in lines if line.startswith("-"))) - 1 :]
    assert "有害" in table[0]
    assert table[0].index("status") + 2 * 2 == table[2].index("interrupted") + 2  # two wide names above, one beside
    assert "more classes" in "".join(lines)


def test_a_run_without_trials(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    run = read_ledger(write_ledger(rows.run()))
    assert winner(run) is None
    assert to_text(leaderboard(run), run).startswith("demo: 0 trials\n")
    assert json.loads(to_json(leaderboard(run), run))["trials"] == []


def test_no_epoch_no_winner(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    run = read_ledger(write_ledger(rows.run(), rows.trial("a")))
    assert to_text(leaderboard(run), run).endswith("No winner: no trial has finished an epoch.\n")


def test_gpu_hours_of_shared_cards(rows: SimpleNamespace, write_ledger: WriteLedger) -> None:
    """Two epochs of half an hour on half a card each, and one of an hour on two cards: 0.5 and 2 GPU-hours."""
    folder = write_ledger(
        rows.run(labels=LABELS, criteria=CRITERIA),
        rows.trial("half"),
        *(rows.epoch("half", number, metrics(0.9, 4 / 6), seconds=1800.0, gpus=0.5) for number in (1, 2)),
        rows.trial("two"),
        rows.epoch("two", 1, metrics(0.9, 0.0), seconds=3600.0, gpus=2.0),
    )
    run = read_ledger(folder)
    frame = leaderboard(run)
    assert frame.set_index("trial")["gpu_hours"].to_dict() == {"half": 0.5, "two": 2.0}
    told = "Training took 2.5 GPU-hours in all, 2.5 GPU-hours for each trial that meets all criteria."
    assert " ".join(to_text(frame, run).split()).endswith(told)


def test_a_parameter_with_the_name_of_a_column_does_not_take_its_place(run: Run) -> None:
    names = [record.trial for record in run.trials.values()]
    for record in run.trials.values():
        record.params = {**record.params, "trial": "other", "rank": -1}
    assert sorted(leaderboard(run)["trial"]) == sorted(names)


def test_csv_runs_nothing_in_a_spreadsheet(run: Run) -> None:
    for record in run.trials.values():
        record.params = {**record.params, "=cmd()": "=1+1", "model.base": "-x"}
    safe, raw = (next(csv.DictReader(io.StringIO(to_csv(leaderboard(run), run, raw=one)))) for one in (False, True))
    assert (safe["'=cmd()"], safe["model.base"]) == ("'=1+1", "'-x")
    assert (raw["=cmd()"], raw["model.base"]) == ("=1+1", "-x")
