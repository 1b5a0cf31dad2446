import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger, read_ledger
from rarecall.analysis.runs.ranking.finalists import FINALISTS_FOLDER, finalists, race_of
from rarecall.analysis.runs.ranking.leaderboard import winner
from rarecall.analysis.text.finalists import finalists_text
from rarecall.search.engine.queue import QueueSearcher
from rarecall.search.engine.retraining.race import FoldsThatDecide
from rarecall.trainables.training.request import TrialRequest

LABELS = LabelSpace(("common", "rare"), ("rare",))
CRITERIA = ("recall[common] >= 0.5",)


def predictions_of(first_row: int, rare_hits: int, rare: int, common_hits: int = 20) -> Predictions:
    """`rare_hits` of `rare` rare rows and `common_hits` of 20 common ones are right."""
    true = np.array([1] * rare + [0] * 20)
    predicted = np.array([1] * rare_hits + [0] * (rare - rare_hits) + [0] * common_hits + [1] * (20 - common_hits))
    return Predictions(np.arange(first_row, first_row + len(true)), true, predicted)


@pytest.fixture
def run_folder(tmp_path: Path, rows: SimpleNamespace) -> Path:
    """A search that saw 3 of 3 and 2 of 3 rare rows; on two folds it is 4 of 10 and 8 of 10."""
    header = rows.run(labels=LABELS, criteria=CRITERIA)
    search = {"lucky": 3, "steady": 2}
    with Ledger(tmp_path / LEDGER_NAME) as ledger:
        ledger.append(header)
        for trial, hits in search.items():
            ledger.append(rows.trial(trial))
            ledger.append(rows.epoch(trial, 1, evaluate(predictions_of(0, hits, 3), LABELS)))
            ledger.append(rows.end(trial))
    inner = tmp_path / FINALISTS_FOLDER
    with Ledger(inner / LEDGER_NAME) as ledger:
        ledger.append({**header, "finalists": {"count": 2, "folds": 2}})
        for trial, hits in {"lucky": (1, 3), "steady": (4, 4)}.items():
            for fold, found in enumerate(hits, start=1):
                name = f"{trial}-fold{fold}"
                predictions = predictions_of(100 * fold, found, 5)
                write_predictions(inner / f"{name}.parquet", predictions, LABELS)
                ledger.append(rows.trial(name, finalist=trial, fold=fold))
                metrics = evaluate(predictions, LABELS)
                ledger.append(rows.epoch(name, 1, metrics, predictions=f"{name}.parquet"))
                ledger.append(rows.end(name))
    return tmp_path


def test_folds_are_pooled_and_luck_does_not_win(run_folder: Path) -> None:
    run = read_ledger(run_folder)
    steady, lucky = finalists(run)
    assert (steady.trial, lucky.trial) == ("steady", "lucky")
    assert (steady.rows, steady.folds) == (50, 2)
    assert steady.metrics["recall[rare]"] == 8 / 10
    assert lucky.metrics["recall[rare]"] == 4 / 10
    assert lucky.metrics["support[rare]"] == 10
    # Jeffreys' interval of 8 of 10, Beta(8.5, 2.5): 5 % at .55, 95 % at .94 by scipy's tables.
    assert steady.objective.low == pytest.approx(0.55, abs=0.03)
    assert winner(run) is run.trials["steady"]


def test_both_figures_are_told(run_folder: Path) -> None:
    run = read_ledger(run_folder)
    text = finalists_text(finalists(run), run, 80)
    assert "Finalists: trained again on 2 folds; each of the 50 rows" in text
    table = [line.split() for line in text.splitlines() if line.startswith(("steady", "lucky"))]
    assert table[0][:7] == ["steady", "1/1", "66.7", "%", "2", "80.0", "%"]
    assert table[1][:7] == ["lucky", "1/1", "100.0", "%", "2", "40.0", "%"]
    assert "Winner: steady" in text
    assert max(map(len, text.splitlines())) <= 80


def test_a_finalist_that_lacks_a_fold_does_not_count(run_folder: Path) -> None:
    ledger = run_folder / FINALISTS_FOLDER / LEDGER_NAME
    kept = [line for line in ledger.read_text().splitlines(keepends=True) if "steady-fold2" not in line]
    ledger.write_text("".join(kept))
    assert [one.trial for one in finalists(read_ledger(run_folder))] == ["lucky"]


def test_a_run_without_finalists(run_folder: Path) -> None:
    (run_folder / FINALISTS_FOLDER / LEDGER_NAME).unlink()
    run = read_ledger(run_folder)
    assert finalists(run) == ()
    assert winner(run) is run.trials["lucky"]


@pytest.fixture
def race_folder(run_folder: Path) -> Path:
    """The same two folds as the beginning of a race over five."""
    ledger = run_folder / FINALISTS_FOLDER / LEDGER_NAME
    header, *others = ledger.read_text().splitlines()
    told = {**json.loads(header), "finalists": {"count": 2, "folds": 5, "race": True}}
    ledger.write_text("\n".join([json.dumps(told), *others]) + "\n")
    return run_folder


def test_a_race_that_goes_on_has_no_winner_yet(race_folder: Path) -> None:
    # 7 and 6 of 10 on two of five folds: three more may turn that round.
    for trial, hits in (("steady", (4, 3)), ("lucky", (3, 3))):
        for fold, found in enumerate(hits, start=1):
            path = race_folder / FINALISTS_FOLDER / f"{trial}-fold{fold}.parquet"
            write_predictions(path, predictions_of(100 * fold, found, 5), LABELS)
    run = read_ledger(race_folder)
    assert not race_of(run, read_ledger(race_folder / FINALISTS_FOLDER)).decided
    assert finalists(run) == ()


@pytest.mark.parametrize("folds", [0, 1])
def test_a_finalist_of_which_a_fold_failed_does_not_win_by_the_others(
    race_folder: Path, rows: SimpleNamespace, folds: int
) -> None:
    """Two that race are told apart by two folds; a third one found all rows in the one fold that it has, or none."""
    inner = race_folder / FINALISTS_FOLDER
    for trial, found in (("steady", 30), ("lucky", 3)):
        for fold in (1, 2):
            write_predictions(inner / f"{trial}-fold{fold}.parquet", predictions_of(100 * fold, found, 30), LABELS)
    write_predictions(inner / "third-fold1.parquet", predictions_of(100, 30, 30), LABELS)
    with Ledger(inner / LEDGER_NAME) as ledger:
        for fold in range(1, folds + 1):
            name = f"third-fold{fold}"
            ledger.append(rows.trial(name, finalist="third", fold=fold))
            ledger.append(rows.epoch(name, 1, {}, predictions=f"{name}.parquet"))
            ledger.append(rows.end(name))
        ledger.append(rows.trial("third-fold5", finalist="third", fold=5))
        ledger.append(rows.end("third-fold5", "failed"))
    assert [one.trial for one in finalists(read_ledger(race_folder))] == ["steady", "lucky"]


def test_a_decided_race_names_who_left_and_trains_no_more(race_folder: Path, rows: SimpleNamespace) -> None:
    inner = race_folder / FINALISTS_FOLDER
    for trial, found in (("steady", 30), ("lucky", 3)):
        for fold in (1, 2):
            write_predictions(inner / f"{trial}-fold{fold}.parquet", predictions_of(100 * fold, found, 30), LABELS)
    run = read_ledger(race_folder)
    steady, lucky = finalists(run)
    assert (steady.trial, steady.folds, steady.left, lucky.left.folds) == ("steady", 2, None, 2)
    text = finalists_text((steady, lucky), run, 80).replace("\n", " ")
    assert "lucky after 2 of 5 folds (0 %). 4 of 10 folds were trained" in text
    assert winner(run) is run.trials["steady"]
    wants = FoldsThatDecide(run, inner / LEDGER_NAME)
    left = [TrialRequest(f"{trial}-fold3", {"finalist": trial, "fold": 3}, {}) for trial in ("steady", "lucky")]
    assert [wants.wanted(request) for request in left] == [False, False]
    queue = QueueSearcher(left, wants)
    assert queue.suggest("1") == QueueSearcher([]).suggest("1")
