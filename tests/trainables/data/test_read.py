import csv
import decimal
import json

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from rarecall.analysis.errors import InputError
from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.reading.reader import read_rows
from rarecall.trainables.tasks.config import TaskConfig

CLASSES = {"kind": "multiclass"}
SCORES = {
    "kind": "tiered_scores",
    "dimensions": {"maturity": {}, "impact": {"column": "proof"}},
    "tiers": {"low": 0, "high": 5},
}


def read(path, task=CLASSES, **data):
    columns = {"label": "label"} if task["kind"] == "multiclass" else {}
    config = DataConfig.model_validate({"path": str(path), **columns, **data})
    return read_rows({"path": path}, config, TypeAdapter(TaskConfig).validate_python(task))


def faults(path, task=CLASSES, **data):
    with pytest.raises(InputError) as caught:
        read(path, task, **data)
    return [str(fault).replace(str(path), "FILE") for fault in caught.value.faults]


@pytest.fixture
def write(tmp_path):
    def writer(name, content):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return writer


def json_lines(*rows):
    return "\n".join(json.dumps(row) for row in rows) + "\n"


GOOD = json_lines({"text": "one", "label": "a"}, {"text": "two", "label": "b"})


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("d.csv", "label,text\nham,one\nspam,two\n"),
        ("d.csv", "\ufefflabel,text\r\nham,one\r\nspam,two\r\n"),
        ("d.tsv", "label\ttext\nham\tone\nspam\ttwo"),
        ("d.jsonl", '\n{"text": "one", "label": " ham"}\n\n{"text": "two", "label": "spam", "more": 1}\n'),
        ("d.ndjson", '{"text": "one", "label": "ham"}\r\n{"text": "two", "label": "spam"}\r\n'),
    ],
)
def test_text_formats(write, name, content):
    found = read(write(name, content))
    assert found.classes == ("ham", "spam")
    assert found.examples.texts == ("one", "two")
    assert found.examples.classes.tolist() == [0, 1]
    assert found.examples.rows.tolist() == [0, 1]
    assert found.examples.scores is None
    assert found.examples.groups is None
    assert found.skipped == ()


def test_parquet_with_numbers_of_several_types(tmp_path):
    table = pyarrow.table(
        {
            "text": ["one", "two", "three"],
            "maturity": pyarrow.array([decimal.Decimal("1.5"), decimal.Decimal("9"), decimal.Decimal("2")]),
            "proof": pyarrow.array([2, 8, 3], pyarrow.int8()),
            "unused": [[1], [2], [3]],
        }
    )
    path = tmp_path / "d.parquet"
    pyarrow.parquet.write_table(table, path)
    found = read(path, SCORES)
    np.testing.assert_array_equal(found.examples.scores, [[1.5, 2], [9, 8], [2, 3]])
    assert found.classes == ("low", "high")
    assert found.examples.classes.tolist() == [0, 1, 0]


def test_format_can_be_named(write):
    assert read(write("d.txt", "text,label\none,a\ntwo,b\n"), format="csv").classes == ("a", "b")
    assert faults(write("d.txt", GOOD)) == [
        "FILE: must end in one of .jsonl, .ndjson, .json, .csv, .tsv, .tab, .parquet, .pq, .arrow, .feather, .xlsx, "
        ".xls, .ods, .npz, packed ones in .gz, .bz2, .xz, .lzma, .zst, .zip behind it, got '.txt' (or set data.format)"
    ]


def test_text_columns_are_joined_and_blank_ones_left_out(write):
    path = write("d.csv", "title,body,label\nTitle,Body,a\n  ,Body,b\nTitle,,a\n")
    assert read(path, text=["title", "body"]).examples.texts == ("Title\nBody", "Body", "Title")


def test_labels_that_are_no_strings(write):
    rows = [{"text": "t", "label": label} for label in (1, 2.0, True, False)]
    assert read(write("d.jsonl", json_lines(*rows))).classes == ("1", "2", "false", "true")


def test_named_classes_keep_their_order(write):
    found = read(write("d.jsonl", GOOD), {**CLASSES, "classes": ["b", "unseen", "a"]})
    assert found.classes == ("b", "unseen", "a")
    assert found.examples.classes.tolist() == [2, 0]


def test_group_column(write):
    path = write("d.jsonl", json_lines(*({"text": "t", "label": str(i), "site": i or None} for i in range(3))))
    assert read(path, split={"group": "site"}).examples.groups == ("", "1", "2")


def test_a_long_text_with_line_breaks_and_quotes(write):
    long = 'said "no"\n' * 20_000
    doubled = long.replace('"', '""')
    path = write("d.csv", f'text,label\n"{doubled}",a\nshort,zzz\n,b\n')
    assert read(path, on_bad_row="skip").examples.texts == (long, "short")
    # header, 20,001 lines of one record, and the short one stand before it
    assert faults(path) == ["FILE:20004: must have text in column 'text', got none"]


def test_the_line_of_a_record_is_its_first(write):
    path = write("d.csv", 'text,label\n"1\n2",a\n\n"3\n4",\n5,b\n"",b\n')
    assert faults(path) == [
        "FILE:5: must have a class in column 'label', got none",
        "FILE:8: must have text in column 'text', got none",
    ]


def test_the_line_of_a_parquet_row_is_its_number(tmp_path):
    path = tmp_path / "d.parquet"
    pyarrow.parquet.write_table(pyarrow.table({"text": ["x", "y", None], "label": ["a", None, "b"]}), path)
    assert [fault.split(": ")[0] for fault in faults(path)] == ["FILE:2", "FILE:3"]


def test_missing_and_empty_files(tmp_path, write):
    assert faults(tmp_path / "none.csv") == [
        "FILE: must be a file (relative paths count from the experiment file's folder)"
    ]
    assert faults(tmp_path) != []
    for name in ("d.csv", "d.tsv", "d.jsonl"):
        assert faults(write(name, "")) == ["FILE: must hold at least one row, got an empty file"]
        assert faults(write(name, "\n\n")) == ["FILE: must hold at least one row, got none"]
    assert faults(write("d.csv", "text,label\n")) == ["FILE: must hold at least one row, got none"]
    assert faults(write("d.parquet", "")) == ["FILE: must be a Parquet file, got an empty file"]


def test_a_file_that_is_no_parquet(write):
    (fault,) = faults(write("d.parquet", "text,label\n" * 10))
    assert fault.startswith("FILE: must be a Parquet file, got ")


@pytest.mark.parametrize("name", ["d.csv", "d.jsonl", "d.parquet"])
def test_missing_columns(tmp_path, write, name):
    path = write(name, "Text,class,n\nx,a,1\n" if name == "d.csv" else json_lines({"Text": "x", "class": "a", "n": 1}))
    if name == "d.parquet":
        pyarrow.parquet.write_table(pyarrow.table({"Text": ["x"], "class": ["a"], "n": [1]}), path)
    columns = "columns there are: 'Text', 'class', 'n'"
    assert faults(path) == [
        f"FILE: must have the column 'text' (did you mean 'Text'? {columns})",
        f"FILE: must have the column 'label' ({columns})",
    ]


def test_a_column_named_twice(write):
    assert faults(write("d.csv", "text,label,text\nx,a,y\n")) == ["FILE: must name each column once, got 'text'"]


def test_a_line_that_is_not_utf_8_in_a_file_that_is(write):
    path = write("d.csv", b"text,label\ncaf\xc3\xa9,a\ncaf\xe9,a\ntea,b\n")
    remedy = "save the file in one encoding, or name it with data.encoding"
    assert faults(path) == [f"FILE:3: must be UTF-8, got byte 0xe9 ({remedy})"]
    assert read(path, on_bad_row="skip").examples.texts == ("café", "tea")


def test_broken_json(write):
    path = write("d.jsonl", GOOD + '{"text": "x", "label": \n[1]\n"x"\n' + "[" * 100_000 + "\n")
    found = faults(path)
    assert found[:3] == [
        "FILE:3: must be one JSON object, got Expecting value at column 24",
        "FILE:4: must be one JSON object, got a JSON list",
        "FILE:5: must be one JSON object, got a JSON str",
    ]
    assert found[3].startswith("FILE:6: must be one JSON object, got ")
    assert len(read(path, on_bad_row="skip").skipped) == 4


def test_broken_csv_rows(write):
    path = write("d.csv", 'text,label\nx,a\nx,a,b\nx\n"x" y,a\nx,b\n"open,a\nx,b\n')
    rule = "must be quoted as in RFC 4180, a field with quotes in quotes and its own quotes doubled"
    remedy = "(or set data.quoting: none, where quotation marks are part of the texts)"
    assert faults(path) == [
        "FILE:3: must have as many fields as the header, 2, got 3",
        "FILE:4: must have as many fields as the header, 2, got 1",
        f"FILE:5: {rule}, got ',' expected after '\"' {remedy}",
        f"FILE:7: {rule}, got a quotation mark that is never closed {remedy}",
    ]
    # What follows the open quote is read.
    assert read(path, on_bad_row="skip").examples.texts == ("x", "x", "x")


def test_texts_that_cannot_be_used(write):
    rows = [{"text": text, "label": "a"} for text in (" \n", None, 5, "half \ud83d", "fine")]
    path = write("d.jsonl", json_lines(*rows, {"label": "b"}))
    assert faults(path) == [
        "FILE:1: must have text in column 'text', got none",
        "FILE:2: must have text in column 'text', got none",
        "FILE:3: column 'text' must hold text, got 5",
        "FILE:4: column 'text' must hold valid Unicode, got half of a surrogate pair",
        "FILE:6: must have text in column 'text', got none",
    ]


def test_labels_that_cannot_be_used(write):
    rows = [{"text": "x", "label": label} for label in ("pilott", "zzz", None, float("nan"), ["pilot", "other"])]
    path = write("d.jsonl", json_lines(*rows))
    assert faults(path, {**CLASSES, "classes": ["pilot", "other"]}) == [
        "FILE:1: class must be one of 'pilot', 'other', got 'pilott' (did you mean 'pilot'?)",
        "FILE:2: class must be one of 'pilot', 'other', got 'zzz'",
        "FILE:3: must have a class in column 'label', got none",
        "FILE:4: must have a class in column 'label', got none",
        "FILE:5: column 'label' must hold the name of one class, got ['pilot', 'other']",
    ]


def test_scores_that_cannot_be_used(write):
    content = "text,maturity,proof\n" + "".join(
        f"x,{cells}\n" for cells in ("5,nan", "high,5", ",5", "10.01,-1", "1e999,0", "10,0")
    )
    number = "must be a number, got"
    assert faults(write("d.csv", content), SCORES) == [
        f"FILE:2: score 'proof' {number} 'nan'",
        f"FILE:3: score 'maturity' {number} 'high'",
        "FILE:4: must have a score in column 'maturity', got none",
        "FILE:5: score 'maturity' must be from 0 to 10, got '10.01' (see task.range)",
        "FILE:5: score 'proof' must be from 0 to 10, got '-1' (see task.range)",
        "FILE:6: score 'maturity' must be from 0 to 10, got '1e999' (see task.range)",
    ]
    rows = [{"text": "x", "maturity": 5, "proof": cell} for cell in (float("nan"), True, [5], 10**400)]
    found = faults(write("d.jsonl", json_lines(*rows)), SCORES)
    assert [fault.split(" got ")[1][:6] for fault in found] == ["nan", "True", "[5]", "100000"]


def test_skipped_rows_are_counted_and_listed(write):
    path = write("d.csv", "text,maturity,proof\na,1,1\n,99,99\nb,9,9\nc,x,1\nd,9,9\n")
    found = read(path, SCORES, on_bad_row="skip")
    assert found.examples.texts == ("a", "b", "d")
    assert found.examples.rows.tolist() == [0, 1, 2]
    assert found.examples.classes.tolist() == [0, 1, 1]
    assert found.skipped_rows == 2
    assert [fault.where for fault in found.skipped] == [f"{path}:3"] * 3 + [f"{path}:5"]


def test_only_the_first_twenty_bad_rows_are_told(write):
    found = faults(write("d.csv", "text,label\n" + ",a\n" * 1500))
    assert len(found) == 21
    assert found[19].startswith("FILE:21: ")
    assert found[20] == "…: and 1,480 more"


def test_one_class_only(write):
    rule = "must hold rows of at least two classes, got"
    path = write("d.csv", "text,label\nx,a\ny,a\n,b\n")
    assert faults(path, on_bad_row="skip")[0].startswith(f"FILE: {rule} only 'a'")
    path = write("e.csv", "text,maturity,proof\nx,1,1\ny,2,2\n")
    assert faults(path, SCORES)[0].startswith(f"FILE: {rule} only 'low'")
    assert faults(write("f.csv", "text,label\n,a\n"), on_bad_row="skip")[0].startswith(f"FILE: {rule} no usable row")


def test_multiclass_needs_a_label_column(write):
    (fault,) = faults(write("d.jsonl", GOOD), label=None)
    assert fault.startswith("data.label: must name the column")


def given_splits(**paths):
    data = DataConfig.model_validate({role: str(path) for role, path in paths.items()} | {"label": "label"})
    return read_rows(paths, data, TypeAdapter(TaskConfig).validate_python(CLASSES))


def test_given_splits_number_rows_over_all_files(write):
    train = write("train.jsonl", GOOD)
    held_out = write("validation.jsonl", json_lines({"text": "three", "label": "b"}))
    found = given_splits(train=train, validation=held_out, test=train)
    assert found.examples.rows.tolist() == [0, 1, 2, 3, 4]
    assert found.files.tolist() == [0, 0, 1, 2, 2]
    assert found.examples.texts == ("one", "two", "three", "one", "two")


def test_classes_are_those_of_the_training_file(write):
    held_out = write("validation.jsonl", json_lines({"text": "three", "label": "c"}))
    with pytest.raises(InputError) as caught:
        given_splits(train=write("train.jsonl", GOOD), validation=held_out)
    assert [str(fault) for fault in caught.value.faults] == [f"{held_out}:1: class must be one of 'a', 'b', got 'c'"]


def test_faults_of_all_files_come_together(tmp_path, write):
    train = write("train.csv", "text\nx\n")
    with pytest.raises(InputError) as caught:
        given_splits(train=train, validation=tmp_path / "none.csv")
    assert [fault.where for fault in caught.value.faults] == [str(train), str(tmp_path / "none.csv")]


printable = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=30).filter(str.strip)


@given(st.lists(printable, min_size=2, max_size=20))
def test_what_csv_and_json_write_is_read_back(tmp_path_factory, texts):
    folder = tmp_path_factory.mktemp("read")
    rows = [(text, "ab"[i % 2]) for i, text in enumerate(texts)]
    with (folder / "d.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("text", "label"), *rows])
    lines = [json.dumps({"text": text, "label": label}, ensure_ascii=False) for text, label in rows]
    (folder / "d.jsonl").write_text("\n".join(lines), encoding="utf-8", newline="")
    for name in ("d.csv", "d.jsonl"):
        assert read(folder / name).examples.texts == tuple(texts)
