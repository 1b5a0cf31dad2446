"""`rarecall report` as a user types it: of a run with its texts, and of somebody else's predictions."""

import json
import re
from dataclasses import asdict
from pathlib import Path

import docx
import numpy as np
import pytest

from rarecall.analysis.errors import InputError, RunError
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger, read_ledger
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits
from tests.command_line import invoked

EXPERIMENT = """
name: letters
data:
  path: {data}
  label: kind
task:
  kind: multiclass
model:
  base: tiny-bert
space:
  training.loss.gamma: {{low: 0.0, high: 2.0}}
criteria:
  - recall[rare] >= 0.4
search:
  trials: 2
"""


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    """A run folder with its experiment and its data; every row of validation is predicted as common."""
    kinds = ["common"] * 100 + ["rare"] * 20
    data = tmp_path / "letters.jsonl"
    data.write_text("".join(json.dumps({"text": f"letter <{n}>", "kind": kind}) + "\n" for n, kind in enumerate(kinds)))
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "experiment.yaml").write_text(EXPERIMENT.format(data=data))
    loaded = load_experiment(folder / "experiment.yaml")
    splits = load_splits(TrialConfig.model_validate(loaded.trial_tree({})), loaded.folder)
    labels = splits.task.label_space
    predictions = Predictions(
        splits.validation.rows, splits.validation.classes, np.zeros(len(splits.validation), dtype=np.int64)
    )
    write_predictions(folder / "p.parquet", predictions, labels)
    header = {"run_id": "r", "name": "letters", "criteria": ["recall[rare] >= 0.4"], "objective": "minority_recall"}
    header |= {"labels": asdict(labels), "data_hash": splits.data_hash, "versions": {}, "trials_asked": 1, "seed": 0}
    epoch = {"trial": "t1", "epoch": 1, "metrics": evaluate(predictions, labels), "train_loss": 0.5, "seconds": 1.0}
    epoch |= {"confusion": confusion_matrix(predictions, labels), "peak_memory_mb": None, "checkpoint": "c/1"}
    with Ledger(folder / LEDGER_NAME) as ledger:
        ledger.append({"kind": "run", **header})
        ledger.append({"kind": "trial", "trial": "t1", "params": {"training.loss.gamma": 1.0}})
        ledger.append({"kind": "epoch", **epoch, "predictions": "p.parquet", "score": 0.0})
        ledger.append({"kind": "end", "trial": "t1", "status": "completed", "reason": ""})
    return folder


def test_run_with_its_history(letters: Path, tmp_path: Path) -> None:
    output = tmp_path / "out/report.html"
    assert invoked("report", letters, "-o", output, "--history").output == f"wrote {output}; open it in a browser\n"
    text = output.read_text()
    # None of 2 rows: under Beta(½, 2½) the true recall is 0.4 or more with a probability of 0.13.
    assert "may meet its one criterion, but the rows do not decide it: 1 undecided." in text
    assert "letter &lt;" not in text
    assert json.loads((tmp_path / "out/training_metadata.json").read_text())["params"] == {"training.loss.gamma": 1.0}
    assert len(json.loads((tmp_path / "out/training_history.json").read_text())["epochs"]) == 1


def test_texts_are_those_of_the_rows(letters: Path, tmp_path: Path) -> None:
    invoked("report", letters, "-o", tmp_path / "report.html", "--texts")
    found = re.findall(
        r'<th scope="row" class="number">(\d+)</th>.*?letter &lt;(\d+)&gt;', (tmp_path / "report.html").read_text()
    )
    rare = read_ledger(letters).trials["t1"].epochs[0].metrics["support[rare]"]
    # Among the wrong rows, and with the cell of the confusion matrix that they are in.
    assert len(found) == 2 * len(set(found))
    assert len(set(found)) == rare > 0
    assert all(row == text and int(row) >= 100 for row, text in found)


def test_texts_of_changed_data_are_refused(letters: Path, tmp_path: Path) -> None:
    with (tmp_path / "letters.jsonl").open("a") as file:
        file.write('{"text": "one more", "kind": "rare"}\n')
    with pytest.raises(RunError, match=r"the data changed since the run, .* \(leave --texts out\)"):
        invoked("report", letters, "-o", tmp_path / "report.html", "--texts")
    assert not (tmp_path / "report.html").exists()


def test_other_criteria_than_those_of_the_run(letters: Path, tmp_path: Path) -> None:
    invoked("report", letters, "-o", tmp_path / "report.html", "--criteria", "recall[common] >= 0.7")
    text = (tmp_path / "report.html").read_text()
    assert "meets its one criterion." in text
    assert "recall[common] &gt;= 0.7" in text


def test_table_of_somebody_else(tmp_path: Path) -> None:
    table = tmp_path / "theirs.csv"
    table.write_text("true,predicted\n" + "common,common\n" * 40 + "rare,rare\n" * 3 + "rare,common\n" * 2)
    invoked("report", table, "-o", tmp_path / "report.html", "--criteria", "recall[rare] >= 0.4")
    text = (tmp_path / "report.html").read_text()
    assert "3 of 5" in text
    assert "rows do not decide it: 1 undecided." in text
    with pytest.raises(InputError, match="must be the folder of a run to have texts"):
        invoked("report", table, "-o", tmp_path / "report.html", "--texts")
    with pytest.raises(InputError, match="must be a run"):
        invoked("report", table, "-o", tmp_path / "report.html", "--history")


def test_scores_of_somebody_else(tmp_path: Path) -> None:
    path = tmp_path / "scores.jsonl"
    rows = [{"true": {"x": n % 10, "y": n % 10}, "predicted": {"x": n % 10 + 0.5, "y": n % 10}} for n in range(40)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    invoked("report", path, "-o", tmp_path / "report.html", "--tiers", "low=0,high=8", "--criteria", "mae[*] <= 0.6")
    text = (tmp_path / "report.html").read_text()
    for title in ("Error per dimension", "Predicted against true score", "Rare rows one by one"):
        assert f">{title}</h2>" in text
    assert "decided by x" in text


def test_ending_of_the_file_tells_the_format(letters: Path, tmp_path: Path) -> None:
    output = tmp_path / "report.docx"
    assert invoked("report", letters, "-o", output).output == f"wrote {output}\n"
    (headline,) = [one.text for one in docx.Document(str(output)).paragraphs if one.style.name == "Verdict"]
    assert "may meet its one criterion, but the rows do not decide it: 1 undecided." in headline


def test_folder_takes_the_figures_and_the_history(letters: Path, tmp_path: Path) -> None:
    result = invoked("report", letters, "-o", tmp_path / "figures", "--history")
    assert f"wrote {tmp_path / 'figures'}, a folder of figures\n" in result.output
    assert "left out: mae_per_dimension.png: the task has no scores\n" in result.stderr
    assert "left out: recall_by_epoch.png: there is one epoch only\n" in result.stderr
    written = {path.name for path in (tmp_path / "figures").iterdir()}
    assert {"loss_curves.png", "confusion_matrix.png", "training_history.json", "training_metadata.json"} <= written
    assert "recall_by_epoch.png" not in written


def test_format_that_is_asked_for_wins_over_an_ending_that_says_nothing(letters: Path, tmp_path: Path) -> None:
    invoked("report", letters, "-o", tmp_path / "page", "--format", "html")
    assert (tmp_path / "page").read_text().startswith("<!doctype html>")


def test_contradicting_format_is_refused_before_anything_is_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must not contradict --format docx, got '.*report\.html'"):
        invoked("report", tmp_path / "nothing", "-o", tmp_path / "report.html", "--format", "docx")
