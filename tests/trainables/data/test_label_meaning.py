"""One meaning of a label, whatever file it comes from; what looks alike is told, and merged where that is wanted."""

import json
import unicodedata

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.parquet
import pytest
from pydantic import TypeAdapter

from rarecall.analysis.errors import InputError
from rarecall.trainables.config import DataConfig, TrialConfig
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.data.reading.listed import NotAListError, listed_cells
from rarecall.trainables.data.reading.reader import read_rows
from rarecall.trainables.tasks.config import TaskConfig

ONE = {"kind": "multiclass"}
MANY = {"kind": "multilabel"}


def read(path, task=ONE, **data):
    config = DataConfig.model_validate({"path": str(path), "label": "label", **data})
    return read_rows({"path": path}, config, TypeAdapter(TaskConfig).validate_python(task))


def told(path, task=ONE, **data):
    with pytest.raises(InputError) as caught:
        read(path, task, **data)
    return str(caught.value.faults[0])


def json_file(tmp_path, labels, name="d.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps({"text": f"t{i}", "label": one}) + "\n" for i, one in enumerate(labels)))
    return path


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["1", "1.0", 1, 1.0, "0", "0.0", 0, -0.0], ("0", "1")),
        (["12.00", 12, "-3.0", -3], ("-3", "12")),
        (["+1.0", "1", "0.5", 0.5], ("0.5", "1")),
        ([True, "True", "TRUE", "true", False, "False"], ("false", "true")),
        ([" hazard ", "hazard", "\u00a0hazard", "ok"], ("hazard", "ok")),
        ([unicodedata.normalize("NFD", "müde"), "müde", "wach"], ("müde", "wach")),
        # What looks like a number and is a name stays one.
        (["01", "1.10", "1e3", "v1.0"], ("01", "1.10", "1e3", "v1.0")),
    ],
)
def test_a_label_has_one_meaning(tmp_path, labels, classes):
    assert read(json_file(tmp_path, labels)).classes == classes
    path = tmp_path / "d.csv"
    pd.DataFrame({"text": "t", "label": [str(label) for label in labels]}).to_csv(path, index=False)
    assert read(path).classes == classes


def test_a_column_of_truth_values_and_one_of_floats(tmp_path):
    path = tmp_path / "d.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["x", "y"], "label": [True, False]}), path)
    assert read(path).classes == ("false", "true")
    pd.DataFrame({"text": ["x", "y"], "label": [1, 0]}, dtype=object).astype({"label": float}).to_parquet(path)
    assert read(path).classes == ("0", "1")
    np.savez(tmp_path / "d.npz", text=np.array(["x", "y"]), label=np.array([1.0, 0.0]))
    assert read(tmp_path / "d.npz").classes == ("0", "1")


def test_declared_names_keep_their_spelling(tmp_path):
    path = json_file(tmp_path, ["1", 0.0, "1.0"])
    found = read(path, {**ONE, "classes": ["1.0", "0.0"]})
    assert (found.classes, found.examples.classes.tolist()) == (("1.0", "0.0"), [0, 1, 0])
    # Numbers and truth values of YAML are the labels that they stand for.
    assert read(path, {**ONE, "classes": [1, 0], "minority": [1]}).classes == ("1", "0")
    assert read(path, {**ONE, "classes": [1.0, 0.0]}).classes == ("1", "0")
    assert read(json_file(tmp_path, [True, False]), {**ONE, "classes": [False, True]}).classes == ("false", "true")


LOOK_ALIKE = ["hazard"] * 3 + ["HAZARD"] * 2 + ["ordinary", "ordi\u200bnary", "01", "1"]


def test_names_that_look_alike_are_told_with_counts(tmp_path):
    path = json_file(tmp_path, LOOK_ALIKE)
    remedy = "(data.merge_alike: true merges them)"
    assert read(path).notes == (
        f"labels look alike: 'hazard' 3, 'HAZARD' 2 {remedy}",
        f"labels look alike: 'ordinary' 1, 'ordi\\u200bnary' 1 {remedy}",
        f"labels look alike: '01' 1, '1' 1 {remedy}",
    )
    assert len(read(path).classes) == 6
    assert read(json_file(tmp_path, ["a", "b"])).notes == ()


def test_a_key_merges_them(tmp_path):
    found = read(json_file(tmp_path, LOOK_ALIKE), merge_alike=True)
    assert found.classes == ("01", "hazard", "ordinary")
    assert found.notes[0] == "labels merged: 'HAZARD' 2 into 'hazard' (data.merge_alike)"
    declared = read(json_file(tmp_path, ["a", "A", "b"]), {**ONE, "classes": ["A", "b"]}, merge_alike=True)
    assert (declared.classes, declared.examples.classes.tolist()) == (("A", "b"), [0, 0, 1])


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        (["hazard", "delay"], {"hazard", "delay"}),
        ("['hazard', 'delay']", {"hazard", "delay"}),
        ('["hazard", "delay"]', {"hazard", "delay"}),
        ("['hazard' 'delay']", {"hazard", "delay"}),
        ("{'hazard', 'delay'}", {"hazard", "delay"}),
        ("('hazard',)", {"hazard"}),
        ("""["it's", 'b"c']""", {"it's", 'b"c'}),
        ("hazard|delay", {"hazard", "delay"}),
        ("[]", set()),
        ("[1, 2.0]", {"1", "2"}),
        ([True, 1], {"true", "1"}),
    ],
)
def test_lists_are_read_also_those_in_texts(tmp_path, cell, labels):
    found = read(json_file(tmp_path, [cell, ["x"], ["y"]]), MANY)
    first = {name for name, there in zip(found.classes, found.examples.labels[0], strict=True) if there}
    assert first == labels


@pytest.mark.parametrize("cell", ["[hazard, delay]", "[[1], 2]", "[" * 300 + "]" * 300, "{'a': 1}"])
def test_what_only_looks_like_a_list_is_refused(tmp_path, cell):
    path = json_file(tmp_path, [cell, ["x"], ["y"]])
    assert "must hold a list of labels, or a text with '|' between them" in told(path, MANY)


def test_a_long_text_in_brackets_is_no_list():
    with pytest.raises(NotAListError):
        listed_cells("[" + "1," * 100_000 + "]")


@pytest.mark.parametrize(
    "cells", [[[1, 0, 0], [0, 1, 1]], ["[1, 0, 0]", "[0 1 1]"], [[1.0, 0.0, 0.0], [False, True, True]]]
)
def test_marks_in_lists_need_the_labels(tmp_path, cells):
    path = json_file(tmp_path, cells)
    rule = "task.labels: must name the 3 labels that column 'label' marks with 0 and 1, in its order, got "
    assert told(path, MANY) == f"{rule}no names"
    assert told(path, {**MANY, "labels": ["a", "b"]}) == f"{rule}2 names"
    found = read(path, {**MANY, "labels": ["a", "b", "c"]})
    assert found.examples.labels.tolist() == [[True, False, False], [False, True, True]]


@pytest.mark.parametrize("marks", [["1.0", "0.0"], [1.0, 0.0], ["true", "FALSE"], [True, False], ["1", 0]])
def test_marks_in_columns(tmp_path, marks):
    path = tmp_path / "d.jsonl"
    rows = [{"text": "x", "a": marks[0], "b": marks[1]}, {"text": "y", "a": marks[1], "b": marks[0]}]
    path.write_text("\n".join(map(json.dumps, rows)))
    found = read(path, {**MANY, "labels": ["a", "b"]}, label=None)
    assert found.examples.labels.tolist() == [[True, False], [False, True]]


def splits_of(tmp_path, task=ONE, **data):
    return load_splits(TrialConfig.model_validate({"data": {"label": "label", **data}, "task": task}), tmp_path)


def test_groups_are_read_where_splits_are_given(tmp_path):
    rows = [{"text": f"t{i}", "label": "ab"[i % 2], "user": f"u{i % 4}"} for i in range(12)]
    (tmp_path / "tr.jsonl").write_text("\n".join(map(json.dumps, rows)))
    (tmp_path / "va.jsonl").write_text("\n".join(json.dumps({**row, "text": row["text"] + "!"}) for row in rows[:2]))
    given = {"train": "tr.jsonl", "validation": "va.jsonl"}
    found = splits_of(tmp_path, split={"group": "user"}, **given)
    assert found.train.groups == tuple(f"u{i % 4}" for i in range(12))
    assert "2 groups (user) of validation are in train too, with 2 of its rows: 'u0', 'u1'" in found.notes
    with pytest.raises(InputError, match="must have the column 'usr'"):
        splits_of(tmp_path, split={"group": "usr"}, **given)


def test_singletons_are_accepted_with_folds(tmp_path):
    json_file(tmp_path, ["common"] * 30 + ["odd"] * 6 + ["once"])
    with pytest.raises(InputError, match="minority class 'once' must have a row in validation"):
        splits_of(tmp_path, path="d.jsonl")
    found = splits_of(tmp_path, path="d.jsonl", folds=3)
    assert found.class_counts["train"]["once"] == 1
    assert "1 minority classes have no row in validation and are judged by the folds alone" in found.notes[-1]
    assert "no model that is judged by it has seen the class: 'once'" in found.notes[-1]
    with pytest.raises(InputError, match="'never' must have a row"):
        splits_of(tmp_path, {**ONE, "classes": ["common", "odd", "once", "never"]}, path="d.jsonl", folds=3)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("names.txt", "calm\nhazard\n"),
        ("names.json", '["calm", "hazard"]'),
        ("names.json", '{"0": "calm", "1": "hazard"}'),
    ],
)
def test_numbers_stand_for_the_lines_of_a_file(tmp_path, name, content):
    json_file(tmp_path, [0, "1.0"] * 20)
    (tmp_path / name).write_text(content)
    found = splits_of(tmp_path, path="d.jsonl", label_names=name)
    assert {one: sum(counts[one] for counts in found.class_counts.values()) for one in ("calm", "hazard")} == {
        "calm": 20,
        "hazard": 20,
    }


@pytest.mark.parametrize("content", ["3", "[", '["a", ["b"]]', "{}"])
def test_a_file_of_names_that_holds_none(tmp_path, content):
    json_file(tmp_path, [0, 1])
    (tmp_path / "names.json").write_text(content)
    with pytest.raises(InputError, match=r"data\.label_names: must "):
        splits_of(tmp_path, path="d.jsonl", label_names="names.json")


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_columns_of_marks_are_found_by_themselves(tmp_path, name):
    frame = pd.DataFrame({"id": range(6), "text": list("uvwxyz"), "a": [1, 0] * 3, "b": [0, 1] * 3, "site": [1, 1] * 3})
    path = tmp_path / name
    if name == "d.csv":
        frame.to_csv(path, index=False)
    elif name == "d.jsonl":
        frame.to_json(path, orient="records", lines=True)
    else:
        frame.to_parquet(path)
    found = read(path, MANY, label=None, split={"group": "site"})
    assert found.classes == ("a", "b")
    assert found.examples.labels.tolist() == [[True, False], [False, True]] * 3
    assert found.notes == ("labels are the columns of 0 and 1: a, b (task.labels)",)


def test_where_no_column_holds_marks_the_labels_must_be_named(tmp_path):
    path = tmp_path / "d.jsonl"
    path.write_text('{"text": "x", "a": 1, "n": 2}\n{"text": "y", "a": 0, "n": 3}\n')
    assert "data.label: must name the column that holds the labels" in told(path, MANY, label=None)
