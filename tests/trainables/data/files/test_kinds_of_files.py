"""Files as people have them: packed, in other encodings, delimited otherwise, with quotes where nobody expects them.

The property behind all of them: rows out and rows told are the lines that went in.
"""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile

import pandas as pd
import pyarrow
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecall.analysis.errors import InputError
from rarecall.trainables.data.files.formats import file_rows
from rarecall.trainables.data.files.options import FileOptions

TEXTS = ["a pump – broke", "two; or more", 'said "no"', "naïve café"]
ROWS = [{"text": text, "label": label} for text, label in zip(TEXTS, "abab", strict=True)]


def rows(path, names=("text", "label"), **options):
    """Cells, faults and notes."""
    notes = []
    found = list(file_rows(path, names, FileOptions(**options), notes.append))
    return [row.cells for row in found if not row.fault], [row for row in found if row.fault], notes


def refused(path, **options):
    with pytest.raises(InputError) as caught:
        rows(path, **options)
    return str(caught.value.faults[0])


def csv_bytes(delimiter=",", encoding="utf-8", header=True):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n")
    writer.writerows(([("text", "label")] if header else []) + [tuple(row.values()) for row in ROWS])
    return text.getvalue().encode(encoding)


def zipped(data, name="d.csv"):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(name, data)
        archive.writestr("__MACOSX/._d.csv", b"junk")
    return packed.getvalue()


PACKERS = {
    ".gz": gzip.compress,
    ".bz2": bz2.compress,
    ".xz": lzma.compress,
    ".lzma": lambda data: lzma.compress(data, lzma.FORMAT_ALONE),
    ".zst": lambda data: pyarrow.compress(data, codec="zstd", asbytes=True),
    ".zip": zipped,
}


@pytest.mark.parametrize("suffix", PACKERS)
def test_packed_files(tmp_path, suffix):
    path = tmp_path / f"d.csv{suffix}"
    path.write_bytes(PACKERS[suffix](csv_bytes()))
    assert rows(path) == (ROWS, [], [])
    path.write_bytes(PACKERS[suffix](csv_bytes())[:-20])
    assert f"{path}: must be " in refused(path)


def test_a_packed_file_that_is_named_otherwise(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes(gzip.compress(csv_bytes()))
    assert rows(path)[0] == ROWS
    path = tmp_path / "d.csv.gz"
    path.write_bytes(csv_bytes())
    assert "must be a gzip file, as its name says, got one that begins with b'text,l'" in refused(path)


def test_archives_of_several_files_and_encrypted_ones(tmp_path):
    path = tmp_path / "d.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", b"x")
        archive.writestr("b.csv", b"x")
    assert "must hold one file, got a.csv, b.csv" in refused(path, format="csv")
    # Bit 0 of the flags, in the local and in the central header, says that the member is encrypted.
    data = bytearray(zipped(csv_bytes()))
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(bytes(data))
    assert "must hold a file that can be unpacked" in refused(path)


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_delimiters_are_found_out_and_told(tmp_path, delimiter):
    path = tmp_path / "d.csv"
    path.write_bytes(csv_bytes(delimiter))
    found = rows(path, quoting="standard")
    assert found == (ROWS, [], [f"{path}: delimited by {delimiter!r} (data.delimiter)"])
    assert rows(path, quoting="standard", delimiter=delimiter) == (ROWS, [], [])


def test_the_line_by_which_excel_names_its_delimiter(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes(b"sep=;\r\n" + csv_bytes(";") + b'"x"y;b\n')
    found, broken, notes = rows(path)
    assert (found, notes) == (ROWS, [])
    assert [row.line for row in broken] == [7]


def test_a_file_without_header(tmp_path):
    path = tmp_path / "d.csv"
    path.write_bytes(csv_bytes(";", header=False))
    assert rows(path, columns=("text", "label"))[0] == ROWS
    found, broken, _ = rows(path, columns=("text", "label", "more"), delimiter=";")
    assert (found, len(broken)) == ([], 4)
    assert "must have as many fields as data.columns, 3, got 2" in str(broken[0].fault)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_encodings_that_say_what_they_are(tmp_path, encoding):
    for name, data in (("d.csv", csv_bytes(encoding=encoding)), ("d.json", json.dumps(ROWS).encode(encoding))):
        path = tmp_path / name
        path.write_bytes(data)
        assert rows(path) == (ROWS, [], [])


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "café – naïve"),
        ("cp1251", "насос сломался и течёт"),
        ("cp932", "これはポンプの故障です"),
        ("gb18030", "泵坏了正在漏水"),
    ],
)
def test_other_encodings_are_guessed_told_and_settable(tmp_path, encoding, text):
    path = tmp_path / "d.csv"
    path.write_bytes("".join(["text,label\n", *(f"{text} {i},a\n" for i in range(30))]).encode(encoding))
    found, broken, (note,) = rows(path)
    assert [row["text"] for row in found] == [f"{text} {i}" for i in range(30)]
    assert not broken
    assert f"is not UTF-8; read as {encoding}, such as {text.split()[0]!r} (data.encoding" in note
    assert rows(path, encoding=encoding) == (found, [], [])
    assert "data.encoding: must be an encoding that Python knows" in refused(path, encoding="utf-9")


def test_quotes_in_tsv_are_text(tmp_path):
    """A bare quotation mark at the start of a text opened a cell that went on for 35 lines."""
    path = tmp_path / "d.tsv"
    lines = [f'a\t"open {i}' if i == 3 else f'a\tcloses {i}"' if i == 38 else f"a\tplain {i}" for i in range(50)]
    path.write_text("label\ttext\n" + "\n".join(lines) + "\n")
    found, broken, notes = rows(path)
    assert [row["text"] for row in found] == [line.split("\t")[1] for line in lines]
    assert (broken, notes) == ([], [])
    assert rows(path, quoting="standard")[2][0].startswith(f"{path}: 1 cell holds line breaks together with delimiters")


def test_quoted_tsv_is_told_and_settable(tmp_path):
    path = tmp_path / "d.tsv"
    path.write_bytes(csv_bytes("\t"))
    found, _, (note,) = rows(path)
    assert found[2]["text"] == '"said ""no"""'
    assert "1 row has cells in quotation marks" in note
    assert "data.quoting: standard" in note
    assert rows(path, quoting="standard")[0] == ROWS


def test_an_open_quote_costs_its_own_line(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text('text,label\nx,a\n"open,a\n' + "y,b\n" * 30)
    found, broken, _ = rows(path)
    assert (len(found), [row.line for row in broken]) == (31, [3])


def test_every_line_that_a_broken_cell_swallowed_is_told(tmp_path):
    path = tmp_path / "d.csv"
    path.write_text('text,label\n"one\ntwo\nthree" and more,a\ny,b\n')
    found, broken, _ = rows(path)
    assert (found, [row.line for row in broken]) == ([{"text": "y", "label": "b"}], [2, 3, 4])


@pytest.mark.parametrize(
    "content",
    [
        json.dumps(ROWS),
        json.dumps(ROWS, indent=1),
        json.dumps({"version": 2, "data": ROWS}),
        json.dumps({"text": TEXTS, "label": list("abab")}),
        pd.DataFrame(ROWS).to_json(),
        "\n".join(map(json.dumps, ROWS)),
    ],
)
@pytest.mark.parametrize("name", ["d.json", "d.jsonl"])
def test_json_as_people_write_it(tmp_path, content, name):
    path = tmp_path / name
    path.write_text(content)
    if name == "d.jsonl" and content.startswith("{") and "\n" not in content:
        return  # one line is one row there
    assert rows(path) == (ROWS, [], [])


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("3", "must hold rows, got a JSON int"),
        ('{"a": [1], "b": [1, 2]}', "must hold arrays of equal length, got a 1, b 2"),
        ("[{]", "must be JSON, got Expecting property name"),
        ("[" * 200_000, "must be JSON, got "),
    ],
)
def test_json_that_holds_no_rows(tmp_path, content, told):
    path = tmp_path / "d.json"
    path.write_text(content)
    assert told in refused(path)


def test_keys_within_keys(tmp_path):
    nested = [{"text": row["text"], "meta": {"label": row["label"]}} for row in ROWS]
    (tmp_path / "d.json").write_text(json.dumps(nested))
    pd.DataFrame(nested).to_parquet(tmp_path / "d.parquet")
    for name in ("d.json", "d.parquet"):
        assert [row["meta"]["label"] for row in rows(tmp_path / name, ("text", "meta.label"))[0]] == list("abab")


cells = st.text(st.sampled_from('ab ,;"\n\t'), max_size=8)


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(cells, cells), max_size=8), st.sampled_from(["csv", "tsv"]))
def test_rows_out_and_rows_told_are_the_lines_that_went_in(tmp_path_factory, written, name):
    """Lines are written as they come, whatever quotes they hold: each is in a row, or told."""
    path = tmp_path_factory.mktemp("lines") / f"d.{name}"
    text = "text,label\n" if name == "csv" else "text\tlabel\n"
    path.write_text(text + "".join("\t,"[name == "csv"].join(row) + "\n" for row in written), newline="")
    found = list(file_rows(path, ["text", "label"], FileOptions(delimiter="\t,"[name == "csv"])))
    lines = path.read_text().split("\n")[1:-1]
    total = sum(1 for line in lines if line)
    covered = sum(1 if row.fault else 1 + sum(c.count("\n") for c in row.cells.values()) for row in found)
    assert total <= covered <= len(lines)
