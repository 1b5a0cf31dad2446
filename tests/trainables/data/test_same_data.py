"""The same rows in every format are the same data: hash, splits and counts."""

import bz2
import csv
import gzip
import io
import json
import lzma
import zipfile

import numpy as np
import pandas as pd
import pyarrow
import pyarrow.feather
import pytest

from rarecall.analysis.errors import InputError
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits
from tests.workbook import workbook

ROWS = [
    {"text": f"text {i}, “ü”; with more", "label": i % 3 // 2, "user": f"u{i // 2}", "part": "xy"[i % 2]}
    for i in range(40)
]


def delimited(delimiter=",", encoding="utf-8", header=True, **options):
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=delimiter, lineterminator="\n", **options)
    writer.writerows(([list(ROWS[0])] if header else []) + [list(row.values()) for row in ROWS])
    return text.getvalue().encode(encoding)


def saved(path):
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(
        {name: datasets.Value("string") for name in ROWS[0]} | {"label": datasets.ClassLabel(names=["0", "1"])}
    )
    datasets.Dataset.from_list(ROWS, features=features).save_to_disk(str(path))


def zipped(path):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("inside/d.csv", delimited())


def stream(path):
    table = pyarrow.Table.from_pylist(ROWS)
    with pyarrow.OSFile(str(path), "wb") as file, pyarrow.ipc.new_stream(file, table.schema) as writer:
        writer.write_table(table)


def halves(folder):
    folder.mkdir()
    for name, part in (("a", ROWS[:25]), ("b", ROWS[25:])):
        (folder / f"{name}.jsonl").write_text("\n".join(map(json.dumps, part)))


# By shape: what writes it, its name, and what the section `data` says beside it.
SHAPES = {
    "CSV": (lambda path: path.write_bytes(delimited()), "d.csv", {}),
    "CSV, every field quoted": (lambda path: path.write_bytes(delimited(quoting=csv.QUOTE_ALL)), "d.csv", {}),
    "CSV with semicolons": (lambda path: path.write_bytes(delimited(";")), "d.csv", {}),
    "CSV with bars": (lambda path: path.write_bytes(delimited("|")), "d.csv", {}),
    "CSV without header": (
        lambda path: path.write_bytes(delimited(header=False)),
        "d.csv",
        {"columns": list(ROWS[0])},
    ),
    "CSV in cp1252": (lambda path: path.write_bytes(delimited(encoding="cp1252")), "d.csv", {}),
    "CSV in UTF-16": (lambda path: path.write_bytes(delimited(encoding="utf-16")), "d.csv", {}),
    "TSV": (lambda path: path.write_bytes(delimited("\t")), "d.tsv", {}),
    "JSON Lines": (lambda path: path.write_text("\n".join(map(json.dumps, ROWS))), "d.jsonl", {}),
    "JSON, an array of objects": (lambda path: path.write_text(json.dumps(ROWS, indent=1)), "d.json", {}),
    "JSON, an object of arrays": (
        lambda path: path.write_text(pd.DataFrame(ROWS).to_json(orient="columns")),
        "d.json",
        {},
    ),
    "Parquet": (lambda path: pd.DataFrame(ROWS).to_parquet(path), "d.parquet", {}),
    "Arrow file (Feather)": (
        lambda path: pyarrow.feather.write_feather(pyarrow.Table.from_pylist(ROWS), str(path)),
        "d.feather",
        {},
    ),
    "Arrow stream": (stream, "d.arrow", {}),
    "Excel": (lambda path: path.write_bytes(workbook(ROWS)), "d.xlsx", {}),
    "arrays (.npz)": (
        lambda path: np.savez(path, **{name: np.array([row[name] for row in ROWS]) for name in ROWS[0]}),
        "d.npz",
        {},
    ),
    "saved by `datasets`": (saved, "saved", {}),
    "gzip": (lambda path: path.write_bytes(gzip.compress(delimited())), "d.csv.gz", {}),
    "bzip2": (lambda path: path.write_bytes(bz2.compress(delimited())), "d.csv.bz2", {}),
    "xz": (lambda path: path.write_bytes(lzma.compress(delimited())), "d.csv.xz", {}),
    "Zstandard": (lambda path: path.write_bytes(pyarrow.compress(delimited(), "zstd", asbytes=True)), "d.csv.zst", {}),
    "zip with one file": (zipped, "d.zip", {}),
    "several files by a pattern": (halves, "parts/*.jsonl", {}),
}


def splits_in(folder, shape):
    write, name, more = SHAPES[shape]
    write(folder / name.partition("/")[0])
    data = {"path": name, "label": "label", "slices": ["part"], "split": {"group": "user"}, **more}
    return load_splits(TrialConfig.model_validate({"data": data, "task": {"kind": "multiclass"}}), folder)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    return splits_in(tmp_path_factory.mktemp("plain"), "JSON Lines")


@pytest.mark.parametrize("shape", SHAPES)
def test_the_same_rows_are_the_same_data(shape, tmp_path, plain):
    found = splits_in(tmp_path, shape)
    assert found.data_hash == plain.data_hash
    assert (found.train.texts, found.validation.texts, found.test.texts) == (
        plain.train.texts,
        plain.validation.texts,
        plain.test.texts,
    )
    assert found.class_counts == plain.class_counts


def test_other_rows_are_other_data(tmp_path, plain):
    changed = [*ROWS[:-1], {**ROWS[-1], "label": 1 - ROWS[-1]["label"]}]
    (tmp_path / "d.jsonl").write_text("\n".join(map(json.dumps, changed)))
    data = {"path": "d.jsonl", "label": "label", "slices": ["part"], "split": {"group": "user"}}
    found = load_splits(TrialConfig.model_validate({"data": data, "task": {"kind": "multiclass"}}), tmp_path)
    assert found.data_hash != plain.data_hash


def test_a_pattern_that_no_file_has(tmp_path):
    data = {"path": ["x*.csv", "y-?.csv"], "label": "label"}
    with pytest.raises(InputError, match=r"must be a pattern that files have, got 'x\*.csv'"):
        load_splits(TrialConfig.model_validate({"data": data, "task": {"kind": "multiclass"}}), tmp_path)


def test_images_in_a_folder_for_each_class(tmp_path):
    image = pytest.importorskip("PIL.Image")
    for i in range(20):
        folder = tmp_path / "images" / ("good" if i % 2 else "bad")
        folder.mkdir(parents=True, exist_ok=True)
        image.new("L", (4, 4), i).save(folder / f"{i:02d}.png")
    data = {"path": "images", "image": "image", "label": "label"}
    found = load_splits(TrialConfig.model_validate({"data": data, "task": {"kind": "multiclass"}}), tmp_path)
    assert {name: sum(counts.values()) for name, counts in found.class_counts.items()} == {
        "train": 16,
        "validation": 2,
        "test": 2,
    }
    assert found.train.images[0].shape == (4, 4, 3)
