"""What each format and each awkward shape gives, as docs/data.md has it: `python -m tests.data_table` writes it anew.

Every row is a real file, read as an experiment reads it.
"""

import io
import json
import re
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
from pydantic import TypeAdapter

from rarecall.analysis.errors import InputError
from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.reading.locations import data_files
from rarecall.trainables.data.reading.reader import read_rows
from rarecall.trainables.tasks.config import TaskConfig

PAGE = Path(__file__).parents[1] / "docs" / "data.md"
BEGIN, END = "<!-- begin: python -m tests.data_table -->", "<!-- end -->"
ONE, MANY = {"kind": "multiclass"}, {"kind": "multilabel"}
NAMED = {**MANY, "labels": ["a", "b", "c"]}

Content = bytes


def _lines(*lines: str) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def _objects(*labels: object) -> bytes:
    return _lines(*(json.dumps({"text": f"t{i}", "label": label}) for i, label in enumerate(labels)))


def _two_files() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("a.csv", "x")
        archive.writestr("b.csv", "x")
    return held.getvalue()


def _parquet(labels: list[object]) -> bytes:
    held = io.BytesIO()
    pd.DataFrame({"text": [f"t{i}" for i in range(len(labels))], "label": labels}).to_parquet(held)
    return held.getvalue()


NESTED = _lines('{"text": "a", "meta": {"kind": "x"}}', '{"text": "b", "meta": {"kind": "y"}}')
CHAT = _lines('{"text": [{"role": "user", "content": "hi"}], "label": "x"}', '{"text": "b", "label": "y"}')
MARKS = _lines("text,a,b,c", "t,1.0,0.0,0.0", "u,0.0,1.0,1.0")
MERGED: dict[str, object] = {"merge_alike": True}

# What it is; the file's name and content; the section `data` beside path and label; the task.
SHAPES: tuple[tuple[str, str, Content, dict[str, object], dict[str, object]], ...] = (
    ("CSV with `;`", "d.csv", _lines("text;label", "a, b;x", "c;y"), {}, ONE),
    ("`sep=;` before the header", "d.csv", _lines("sep=;", "text;label", "a;x", "c;y"), {}, ONE),
    ("no header, `columns: [label, text]`", "d.csv", _lines("x,a", "y,b"), {"columns": ["label", "text"]}, ONE),
    ("cp1252", "d.csv", "text,label\ncafé – a,x\nnaïve,y\n".encode("cp1252"), {}, ONE),
    ("UTF-16 with its mark", "d.csv", "text,label\ncafé,x\ntea,y\n".encode("utf-16"), {}, ONE),
    ("one line that is not UTF-8", "d.csv", "text,label\ncafé,x\n".encode() + b"caf\xe9,x\ntea,y\n", {}, ONE),
    ("TSV, a text begins with a quotation mark", "d.tsv", _lines("label\ttext", 'x\t"so', "y\tb", 'x\tc"'), {}, ONE),
    ("TSV that is quoted", "d.tsv", _lines("label\ttext", 'x\t"a ""b"""', "y\tc"), {}, ONE),
    ("CSV, a quotation mark is never closed", "d.csv", _lines("text,label", '"a,x', "b,y", "c,x"), {}, ONE),
    ("CSV, a cell of several lines with commas", "d.csv", _lines("text,label", '"a,b', 'c",x', "d,y"), {}, ONE),
    ("CSV, a field too many", "d.csv", _lines("text,label", "a,x,z", "b,y"), {}, ONE),
    ("JSON, an array", "d.json", b'[{"text": "a", "label": "x"}, {"text": "b", "label": "y"}]', {}, ONE),
    ("JSON, an object of arrays", "d.json", b'{"text": ["a", "b"], "label": ["x", "y"]}', {}, ONE),
    ("keys within keys, `label: meta.kind`", "d.jsonl", NESTED, {"label": "meta.kind"}, ONE),
    ("chat messages", "d.jsonl", CHAT, {}, ONE),
    ("a zip with two files", "d.zip", _two_files(), {"format": "csv"}, ONE),
    ("labels `1`, `1.0`, 1, 1.0", "d.jsonl", _objects("1", "1.0", 1, 1.0, "0"), {}, ONE),
    ("truth values in Parquet", "d.parquet", _parquet([True, False, True]), {}, ONE),
    ("labels `Spam`, `spam`", "d.jsonl", _objects("Spam", "spam", "spam", "ham"), {}, ONE),
    ("the same with `merge_alike: true`", "d.jsonl", _objects("Spam", "spam", "spam", "ham"), MERGED, ONE),
    ("`['a', 'b']` as text", "d.jsonl", _objects("['a', 'b']", "['c']", "[]"), {}, MANY),
    ("`[a, b]` without quotes", "d.jsonl", _objects("[a, b]", "['c']"), {}, MANY),
    ("`[1, 0, 0]`, labels not named", "d.jsonl", _objects([1, 0, 0], [0, 1, 1]), {}, MANY),
    ("`[1, 0, 0]`, labels named", "d.jsonl", _objects([1, 0, 0], [0, 1, 1]), {}, NAMED),
    ("a column of 0.0 and 1.0 for each label", "d.csv", MARKS, {"label": None}, NAMED),
    ("an empty file", "d.csv", b"", {}, ONE),
    ("no such column", "d.csv", _lines("Text,label", "a,x"), {}, ONE),
)  # fmt: skip


def given(name: str, content: bytes, data: dict[str, object], task: dict[str, object]) -> str:
    """What reading a file gives: rows and classes with notes, or the first thing that is wrong."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, name).write_bytes(content)
        config = DataConfig.model_validate({"path": name, "label": "label", **data})
        section = TypeAdapter(TaskConfig).validate_python(task)
        try:
            found = read_rows(data_files(config, Path(folder)), config, section)
        except InputError as error:
            return _shown(f"refused: {error.faults[0]}", folder)
        notes = "".join(f"; note: {note}" for note in found.notes)
        counts = found.examples.class_rows(len(found.classes)).tolist()
        told = ", ".join(f"{one} {count}" for one, count in zip(found.classes, counts, strict=True))
        return _shown(f"{len(found.examples)} rows: {told}{notes}", folder)


def _shown(text: str, folder: str) -> str:
    return re.sub(r"\s+", " ", text.replace(f"{folder}/", "")).replace("|", "\\|")


def table() -> Iterator[str]:
    """The lines of the table."""
    yield "| file | what it gives |"
    yield "|---|---|"
    for what, name, content, data, task in SHAPES:
        kind = "" if task is ONE else " (several labels)"
        yield f"| {what}{kind} | {given(name, content, data, task)} |"


def page(text: str) -> str:
    """The page with the table as it is now."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n" + "\n".join(table()) + f"\n{END}{rest.partition(END)[2]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
