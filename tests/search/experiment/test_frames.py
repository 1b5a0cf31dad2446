"""Rows in memory become files that say the same."""

import datasets
import pandas as pd
import pyarrow as pa
import pytest

from rarecall.analysis.errors import InputError
from rarecall.search.experiment.frames import as_table, stored_rows
from rarecall.search.experiment.opening import open_experiment
from rarecall.search.experiment.schema import Experiment
from rarecall.trainables.data.prepare import load_splits

ROWS = [{"text": f"words {i}", "label": "rare" if i % 4 == 0 else "common"} for i in range(40)]
TREE = {
    "name": "rows",
    "data": {"label": "label", "split": {"validation": 0.25, "test": 0.25}},
    "task": {"kind": "multiclass"},
}


def dataset():
    features = datasets.Features(
        {"text": datasets.Value("string"), "label": datasets.ClassLabel(names=["common", "rare"])}
    )
    return datasets.Dataset.from_list(ROWS, features=features)


def test_the_same_rows_are_the_same_data_whatever_holds_them(tmp_path):
    hashes, counts = set(), []
    for rows in (pd.DataFrame(ROWS), ROWS, dataset()):
        loaded = open_experiment({**TREE, "storage": {"path": str(tmp_path)}}, rows)
        splits = load_splits(loaded.experiment, loaded.folder)
        hashes.add(splits.data_hash)
        counts.append(splits.class_counts)
    assert len(hashes) == 1
    # A quarter of 10 rare rows is 2 or 3.
    assert sum(counts[0][split]["rare"] for split in counts[0]) == 10


def test_rows_are_kept_once_and_found_again(tmp_path):
    first, second = stored_rows(ROWS, tmp_path), stored_rows(pd.DataFrame(ROWS), tmp_path)
    assert first == second
    assert pd.read_parquet(first["data.path"]).to_dict("records") == ROWS
    assert len(list((tmp_path / ".data").iterdir())) == 1


def test_splits_are_given_by_name(tmp_path):
    frame = pd.DataFrame(ROWS)
    files = stored_rows({"train": frame[:20], "validation": frame[20:]}, tmp_path)
    assert sorted(files) == ["data.train", "data.validation"]
    loaded = open_experiment(TREE, {"train": frame[:20], "validation": frame[20:]}, {"storage.path": str(tmp_path)})
    assert loaded.experiment.data.path is None
    assert len(load_splits(loaded.experiment, loaded.folder).validation) == 20


def test_class_labels_of_a_dataset_are_their_names():
    assert as_table(dataset())["label"].to_pylist()[:2] == ["rare", "common"]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("rows.csv", "data: must be a DataFrame, a datasets.Dataset or a list of dicts, got str"),
        ([], "got list"),
        ({"training": ROWS}, "must be rows, or map `train` and `validation` .* got training"),
        (pd.DataFrame({"a": [1, "x", {}]}), "data: must fit a Parquet file, got .*give each column values of one kind"),
    ],
)
def test_what_is_no_rows_is_told(rows, message, tmp_path):
    with pytest.raises(InputError, match=message):
        stored_rows(rows, tmp_path)


def test_an_experiment_is_a_file_a_dict_or_an_object(tmp_path):
    tree = {**TREE, "data": {**TREE["data"], "path": "rows.csv"}, "space": "auto"}
    of_dict = open_experiment(tree)
    of_object = open_experiment(Experiment.model_validate(tree))
    assert of_object.experiment == of_dict.experiment
    assert of_dict.experiment.auto_space
    assert open_experiment({**tree, "criteria": ("accuracy >= 0.5",)}).tree["criteria"] == ["accuracy >= 0.5"]


def test_overrides_have_the_last_word_and_quick_makes_it_small():
    tree = {**TREE, "data": {**TREE["data"], "path": "rows.csv"}}
    small = open_experiment(tree, overrides={"training.epochs": 7}, quick=True).experiment
    assert (small.name, small.training.epochs, small.search.trials) == ("rows-quick", 7, 4)


def test_index_and_metadata_of_a_frame_stay_out():
    frame = pd.DataFrame(ROWS).set_index(pd.Index(range(100, 140)))
    table = as_table(frame)
    assert table.column_names == ["text", "label"]
    assert table.schema.metadata is None
    assert table.schema.field("text").type == pa.string()


def test_categories_are_kept_as_their_values():
    frame = pd.DataFrame(ROWS).astype({"label": "category"})
    assert as_table(frame) == as_table(ROWS)
