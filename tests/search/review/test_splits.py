"""The splits of a run as files, for other models to be compared on."""

import json
from pathlib import Path

import pandas as pd
import pytest
import yaml
from click.testing import CliRunner

import rarecall
from rarecall.analysis.errors import RunError
from rarecall.analysis.runs.ledger import Ledger, read_ledger
from rarecall.search.commands.reading import split
from rarecall.search.experiment.schema import load_experiment
from rarecall.search.review.splits import write_splits
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits
from tests.golden_files import copy_golden


def lines_of(path: Path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_split_holds_its_rows_as_the_data_file_has_them(tmp_path):
    golden = copy_golden(tmp_path)
    done = CliRunner().invoke(split, [str(golden / "runs" / "tiers"), "-o", str(tmp_path / "splits")])
    assert done.exit_code == 0, done.output
    articles = lines_of(golden / "articles.jsonl")
    written = {path.stem: lines_of(path) for path in (tmp_path / "splits").iterdir()}
    assert set(written) == {"train", "validation", "test"}
    rows = [row.pop("row") for part in written.values() for row in part]
    assert sorted(rows) == list(range(len(articles)))
    tiers = [row.pop("true") for part in written.values() for row in part]
    assert [row for part in written.values() for row in part] == [articles[row] for row in rows]
    run = read_ledger(golden / "runs" / "tiers")
    epoch = run.trials["t0001"].epochs[-1]
    stored = pd.read_parquet(run.predictions_path(epoch.predictions))
    told = dict(zip(rows, tiers, strict=True))
    assert [told[row] for row in stored["row"]] == stored["true"].tolist()
    assert [row["id"] for row in written["validation"]] == [articles[row]["id"] for row in stored["row"]]
    with pytest.raises(RunError, match="exists already"):
        rarecall.load_run(run.folder).split(tmp_path / "splits")
    assert rarecall.load_run(run.folder).split(tmp_path / "again") == {
        name: len(part) for name, part in written.items()
    }


@pytest.fixture
def table(tmp_path):
    """A run on a CSV file with a column named `row`, one row that cannot be used, and several labels."""
    lines = ["row,text,labels"]
    lines += [f"x{place},some words about {place},{'a;b' if place % 3 == 0 else 'b'}" for place in range(60)]
    lines.insert(5, "bad,,a")
    (tmp_path / "rows.csv").write_text("\n".join(lines) + "\n")
    experiment = {
        "name": "labels",
        "data": {
            "path": "rows.csv",
            "label": "labels",
            "label_separator": ";",
            "on_bad_row": "skip",
            "split": {"validation": 0.2, "test": 0},
        },
        "task": {"kind": "multilabel", "labels": ["a", "b"], "minority": ["a"]},
    }
    run = tmp_path / "run"
    run.mkdir()
    experiment["data"]["path"] = str(tmp_path / "rows.csv")
    (run / "experiment.yaml").write_text(yaml.safe_dump(experiment))
    loaded = load_experiment(run / "experiment.yaml")
    data = load_splits(TrialConfig.model_validate(loaded.trial_tree({})), loaded.folder)
    header = {"kind": "run", "run_id": "r1", "name": "labels", "criteria": [], "objective": "minority_recall"}
    header |= {"labels": {"classes": ["a", "b"], "minority": ["a"], "multilabel": True}, "data_hash": data.data_hash}
    with Ledger(run / "ledger.jsonl") as ledger:
        ledger.append({**header, "versions": {}, "trials_asked": 1, "seed": 0})
    return run, data


def test_rows_left_out_stay_out_and_columns_keep_their_names(table, tmp_path):
    run, data = table
    assert write_splits(read_ledger(run), tmp_path / "splits") == {"train": 48, "validation": 12}
    assert not (tmp_path / "splits" / "test.jsonl").exists()
    written = lines_of(tmp_path / "splits" / "validation.jsonl")
    assert [row["rarecall_row"] for row in written] == data.validation.rows.tolist()
    assert [row["text"] for row in written] == list(data.validation.texts)
    # The bad row stands before the fifth, and has no number.
    assert all(row["row"] == f"x{row['rarecall_row']}" for row in written)
    assert all("true" not in row and row["labels"] in ("a;b", "b") for row in written)


def test_changed_data_are_refused(table, tmp_path):
    run, _ = table
    with (tmp_path / "rows.csv").open("a") as file:
        file.write("x60,one more,b\n")
    with pytest.raises(RunError, match="the data changed since the run, so its splits cannot be made again"):
        write_splits(read_ledger(run), tmp_path / "splits")
    assert not (tmp_path / "splits").exists()
