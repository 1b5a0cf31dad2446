import csv
import json

import numpy as np
import pandas as pd
import pytest

from rarecall.analysis.errors import InputError
from rarecall.trainables.data.files.formats import file_rows
from rarecall.trainables.data.files.options import FileOptions
from rarecall.trainables.data.reading.records import read_records
from rarecall.trainables.data.reading.unlabelled import KEPT_FAULTS, Source, survey, unlabelled

QUOTED = FileOptions(quoting="standard")
ODD = ['plain, with "quotes"', "two\nlines", "  ", "a\u2028b", "“ü”"]


@pytest.mark.parametrize("suffix", ["jsonl", "csv", "tsv", "parquet"])
def test_a_stream_holds_what_the_whole_file_holds(suffix, tmp_path):
    path = tmp_path / f"rows.{suffix}"
    frame = pd.DataFrame({"text": ODD, "key": list("abcde"), "other": ["x"] * 5})
    if suffix == "parquet":
        frame.to_parquet(path)
    elif suffix == "jsonl":
        path.write_text("\ufeff" + frame.to_json(orient="records", lines=True))
    else:
        frame.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",", encoding="utf-8-sig")
    whole = read_records(path, ["text", "key"], QUOTED)
    streamed = list(file_rows(path, ["text", "key"], QUOTED))
    assert [row.line for row in streamed] == whole.lines
    assert [row.cells["text"] for row in streamed] == whole.columns["text"] == ODD
    assert [row.cells["key"] for row in streamed] == whole.columns["key"]
    assert "other" in next(file_rows(path, options=QUOTED)).cells


def test_broken_rows_are_told_as_for_the_whole_file(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text('{"text": "a"}\n\n{"text": "b\n[1]\n{"text": "c"}')
    whole = read_records(path, ["text"])
    streamed = list(file_rows(path, ["text"]))
    assert [(row.line, row.fault) for row in streamed if row.fault] == whole.broken
    assert [row.line for row in streamed if not row.fault] == whole.lines == [1, 5]
    table = tmp_path / "rows.csv"
    table.write_text('key,text\n1,"a"x\n2,b\n3\n4,"c')
    broken = read_records(table, ["text"]).broken
    assert [(row.line, row.fault) for row in file_rows(table, ["text"]) if row.fault] == broken
    assert [line for line, _ in broken] == [2, 4, 5]


def test_one_row_that_is_not_utf_8_breaks_no_other(tmp_path):
    for name, head in (("rows.jsonl", b""), ("rows.csv", b"text\n")):
        path = tmp_path / name
        rows = [b"caf\xc3\xa9", b"caf\xe9", b"end"]
        quoted = rows if name == "rows.csv" else [b'{"text": "' + row + b'"}' for row in rows]
        path.write_bytes(head + b"\n".join(quoted))
        good, bad, last = file_rows(path, ["text"])
        assert (good.cells["text"], last.cells["text"]) == ("café", "end")
        assert bad.fault is not None
        assert f"{name}:{bad.line}: must be UTF-8, got byte 0xe9 (" in str(bad.fault)


@pytest.fixture
def usual_field_size():
    """The limit of the csv module holds for the whole process."""
    before = csv.field_size_limit(2**17)
    yield
    csv.field_size_limit(before)


def test_an_open_quote_does_not_swallow_a_large_file(usual_field_size, tmp_path, monkeypatch):
    path = tmp_path / "rows.csv"
    monkeypatch.setattr("rarecall.trainables.data.files.delimited.LONGEST_FIELD", 200_000)
    path.write_text('text\n"open\n' + "a line of text\n" * 40_000)
    first, *others = file_rows(path, ["text"])
    assert first.fault is not None
    assert "a quotation mark that is never closed" in str(first.fault)
    assert [row.line for row in others if row.fault is None] == list(range(3, 40_003))


def test_arrays_row_by_row(tmp_path):
    path = tmp_path / "rows.npz"
    np.savez(path, image=np.zeros((3, 4, 4), np.uint8), label=np.array([[1], [2], [3]]))
    rows = list(file_rows(path))
    assert [row.cells["label"] for row in rows] == [1, 2, 3]
    assert rows[0].cells["image"].shape == (4, 4)


def test_a_survey_counts_everything_and_keeps_the_first_faults(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(
        "".join(
            json.dumps({"text": "" if i % 2 else "a", "late": i} if i else {"text": "a"}) + "\n" for i in range(100)
        )
    )
    found = survey(Source(path, ("text",), carried=("late",)))
    assert (found.rows, found.unusable, len(found.faults)) == (100, 50, KEPT_FAULTS)
    assert found.columns == ("text", "late")
    assert [row.number for row in unlabelled(Source(path, ("text",)))] == list(range(100))
    with pytest.raises(InputError, match=r"must have the column 'lat'.*did you mean 'late'"):
        survey(Source(path, ("text",), carried=("lat",)))
