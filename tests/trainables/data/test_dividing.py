"""Splits that a column, the time or the files themselves say."""

import json

import numpy as np
import pytest

from rarecall.analysis.errors import InputError
from rarecall.trainables.config import DataConfig, TrialConfig
from rarecall.trainables.data.dividing import by_time
from rarecall.trainables.data.prepare import load_splits

ROWS = [{"text": f"t{i}", "label": "ab"[i % 2], "part": ("train", "dev", "test")[i % 3]} for i in range(60)]


def written(folder, rows, name="d.jsonl"):
    (folder / name).write_text("\n".join(map(json.dumps, rows)))


def splits(folder, **data):
    trial = {"data": {"path": "d.jsonl", "label": "label", **data}, "task": {"kind": "multiclass"}}
    return load_splits(TrialConfig.model_validate(trial), folder)


def numbers(part):
    return [int(text[1:]) for text in part.texts]


def told(folder, **data):
    with pytest.raises(InputError) as caught:
        splits(folder, **data)
    return str(caught.value.faults[0])


def test_a_column_says_the_split(tmp_path):
    written(tmp_path, ROWS)
    found = splits(tmp_path, split={"column": "part"})
    assert [numbers(part) for part in (found.train, found.validation, found.test)] == [
        list(range(start, 60, 3)) for start in range(3)
    ]
    written(tmp_path, [{**row, "part": row["part"].upper()} for row in ROWS if row["part"] != "test"])
    assert splits(tmp_path, split={"column": "part"}).test is None


def test_a_column_that_says_something_else(tmp_path):
    written(tmp_path, [{**row, "part": "holdout"} for row in ROWS])
    assert "d.jsonl:1: column 'part' must say train, validation or test, got 'holdout'" in told(
        tmp_path, split={"column": "part"}
    )
    written(tmp_path, [{**row, "part": "train"} for row in ROWS])
    rule = "data.split.column: must leave rows for validation, got train 60, validation 0, test 0"
    assert told(tmp_path, split={"column": "part"}) == rule


@pytest.mark.parametrize(
    "time",
    [lambda i: i, lambda i: f"2026-{1 + i // 28:02d}-{1 + i % 28:02d}", lambda i: f"2026-01-01T{i // 3:02d}:00:00Z"],
)
def test_the_latest_rows_are_test_and_those_before_validation(tmp_path, time):
    order = np.random.default_rng(0).permutation(60).tolist()
    written(tmp_path, [{**ROWS[i], "when": time(i)} for i in order])
    found = splits(tmp_path, split={"time": "when", "validation": 0.2, "test": 0.1})
    held = [sorted(numbers(part)) for part in (found.train, found.validation, found.test)]
    assert held == [list(range(42)), list(range(42, 54)), list(range(54, 60))]


def test_rows_of_one_time_stay_together():
    times = np.array([1.0, 1, 1, 2, 2, 2, 3, 3, 3, 3])
    found = by_time(times, 0.2, 0.1)
    assert [sorted(set(times[rows])) for rows in found.values()] == [[1.0], [2.0], [3.0]]


@pytest.mark.parametrize("when", ["soon", None, "2026-13-01", [1], True])
def test_a_time_that_is_none(tmp_path, when):
    written(tmp_path, [{**row, "when": 1} for row in ROWS[:-1]] + [{**ROWS[-1], "when": when}])
    assert "d.jsonl:60: column 'when' must hold a number, or a date as ISO 8601 has it" in told(
        tmp_path, split={"time": "when"}
    )


def test_train_and_test_without_validation(tmp_path):
    written(tmp_path, ROWS[:40], "train.jsonl")
    written(tmp_path, ROWS[40:], "test.jsonl")
    found = splits(tmp_path, path=None, train="train.jsonl", test="test.jsonl", split={"validation": 0.25})
    assert sorted([*numbers(found.train), *numbers(found.validation)]) == list(range(40))
    assert (len(found.validation), numbers(found.test)) == (10, list(range(40, 60)))


@pytest.mark.parametrize(
    "data",
    [
        {},
        {"path": "a", "train": "b"},
        {"path": "a", "dataset": "b"},
        {"validation": "a"},
        {"train": "a", "split": {"column": "x"}},
        {"path": "a", "split": {"column": "x", "time": "y"}},
        {"path": "a", "split": {"group": "x", "time": "y"}},
    ],
)
def test_ways_that_do_not_go_together(data):
    with pytest.raises(ValueError, match=r"give |need|given|divides"):
        DataConfig.model_validate(data)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("RARECALL_CACHE", str(tmp_path / "cache"))


def test_a_file_is_fetched_by_its_uri_and_again_where_it_changed(tmp_path, cache):
    written(tmp_path, ROWS)
    first = splits(tmp_path, path=f"file://{tmp_path}/d.jsonl")
    assert first.data_hash == splits(tmp_path).data_hash
    written(tmp_path, [*ROWS, {"text": "more", "label": "a"}])
    assert splits(tmp_path, path=f"file://{tmp_path}/d.jsonl").data_hash == splits(tmp_path).data_hash
    assert told(tmp_path, path="file:///no/such/file.csv").startswith(
        "file:///no/such/file.csv: must be a URI that can be"
    )
    assert "must be a URI that can be fetched" in told(tmp_path, path="nowhere://x/y.csv")


def test_a_dataset_by_its_folder(tmp_path, cache):
    pytest.importorskip("datasets")
    (tmp_path / "set").mkdir()
    written(tmp_path / "set", ROWS[:40], "train.jsonl")
    written(tmp_path / "set", ROWS[40:], "test.jsonl")
    found = splits(tmp_path, path=None, dataset="set")
    assert sorted([*numbers(found.train), *numbers(found.validation)]) == list(range(40))
    assert numbers(found.test) == list(range(40, 60))
    # A run keeps the folder's whole name; the rows are the same.
    assert splits(tmp_path, path=None, dataset=str(tmp_path / "set")).data_hash == found.data_hash
    (tmp_path / "empty").mkdir()
    assert "data.dataset: must be a dataset that can be had, got" in told(tmp_path, path=None, dataset="empty")


@pytest.mark.parametrize("folds", [float("inf"), -(10**400), "many", True])
def test_numbers_of_folds_that_are_none(folds):
    with pytest.raises(ValueError, match="folds"):
        DataConfig.model_validate({"path": "a", "folds": folds})
