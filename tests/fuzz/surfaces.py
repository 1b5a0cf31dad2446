"""Where rarecall reads what others wrote. Each surface takes any bytes, and either uses them or says what is wrong."""

import bz2
import gzip
import io
import json
import lzma
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow
from pydantic import TypeAdapter

from rarecall.analysis.criteria.criterion import check, parse, split_key
from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.outside_file import Meaning, read_told
from rarecall.analysis.runs.ledger import read_ledger
from rarecall.analysis.runs.ranking.leaderboard import leaderboard, to_csv, to_json, to_text
from rarecall.search.engine.searcher import _journal_storage
from rarecall.search.experiment.overrides import parse_assignments
from rarecall.search.experiment.schema import experiment_from, load_experiment
from rarecall.search.predict.command import read_experiment
from rarecall.search.review.diagnose import open_case
from rarecall.search.review.facts import known_decision, known_facts
from rarecall.trainables.config import DataConfig
from rarecall.trainables.data.files.formats import file_rows
from rarecall.trainables.data.files.options import FileOptions
from rarecall.trainables.data.reading.reader import read_rows
from rarecall.trainables.exported.predictor import load_task
from rarecall.trainables.tasks.config import TaskConfig
from tests.workbook import workbook

GOLDEN = Path(__file__).parents[1] / "golden" / "cb77611"
EXPERIMENTS = Path(__file__).parents[2] / "experiments"
ROWS = [{"text": f'text {i}, "odd"; ü', "label": "ab"[i % 2], "n": i} for i in range(12)]
PREDICTED = [
    {"true": "ab"[i % 2], "predicted": "ab"[i // 6], "probability.a": 0.3, "probability.b": 0.7} for i in range(12)
]
LABELS = LabelSpace(("a", "b"), ("b",))


_OF_LINES = re.compile(r"in a row of (\d+) lines")


class LostRowsError(AssertionError):
    """Rows went in that neither came out nor were told."""


@dataclass(frozen=True)
class Surface:
    """seeds: good inputs. run: uses bytes within an empty folder. tokens: words of its own that are put in. pack: makes
    of a seed what is read; half of the changes are made before.
    """

    seeds: tuple[bytes, ...]
    run: Callable[[bytes, Path], None]
    tokens: tuple[bytes, ...] = ()
    pack: Callable[[bytes], bytes] = bytes


def _written(folder: Path, name: str, data: bytes) -> Path:
    path = folder / name
    path.write_bytes(data)
    return path


def _experiment(data: bytes, folder: Path) -> None:
    load_experiment(_written(folder, "experiment.yaml", data))


def _set(data: bytes, folder: Path) -> None:
    tree = {"name": "a", "data": {"path": "d.csv", "label": "label"}, "task": {"kind": "multiclass"}}
    experiment_from(tree, folder, parse_assignments(data.decode(errors="surrogateescape").split("\n")))


def _criteria(data: bytes, folder: Path) -> None:
    text = data.decode(errors="surrogateescape")
    split_key(text)
    try:
        check([parse(text, LABELS.minority)], LABELS)
    except ValueError as error:  # of which the schema makes faults
        raise InputError("criteria", [Fault("criteria", str(error))]) from None


def _data(name: str) -> Callable[[bytes, Path], None]:
    def run(data: bytes, folder: Path) -> None:
        path = _written(folder, name, data)
        config = DataConfig.model_validate({"path": name, "label": "label", "on_bad_row": "skip"})
        read_rows({"path": path}, config, TypeAdapter(TaskConfig).validate_python({"kind": "multiclass"}))

    return run


def _lines(name: str, header: int) -> Callable[[bytes, Path], None]:
    """As `_data`; and each line that is not blank is in a row, or told."""
    read = _data(name)

    def run(data: bytes, folder: Path) -> None:
        plain = data.replace(b"\r", b"").replace(b"\0", b"")
        path = _written(folder, name, plain)
        rows = list(file_rows(path, options=FileOptions(encoding="utf-8")))
        lines = [line for line in plain.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip(b" \t\x0b\x0c")]
        within = sum(_breaks(row.cells.values()) for row in rows if not row.fault)
        within += sum(int(told[1]) - 1 for row in rows if (told := _OF_LINES.search(str(row.fault))))
        if not header and plain.lstrip()[:1] == b"[":
            return read(data, folder)  # an array
        if len(rows) + within < len(lines) - header and len(rows) + within:
            raise LostRowsError(f"{len(lines) - header} lines in, {len(rows)} rows out")
        return read(data, folder)

    return run


def _breaks(cells: object) -> int:
    return sum(str(cell).count("\n") for cell in cells)  # type: ignore[attr-defined]


def _outside(name: str) -> Callable[[bytes, Path], None]:
    def run(data: bytes, folder: Path) -> None:
        predictions, labels, _ = read_told(_written(folder, name, data), Meaning())
        evaluate(predictions, labels)

    return run


def _ledger(data: bytes, folder: Path) -> None:
    _written(folder, "ledger.jsonl", data)
    run = read_ledger(folder)
    ranked = leaderboard(run, "criteria")
    to_text(ranked, run, 100)
    to_csv(ranked, run)
    to_json(ranked, run)


def _diagnose(data: bytes, folder: Path) -> None:
    _written(folder, "ledger.jsonl", data)
    experiment = (GOLDEN / "runs" / "tiers" / "experiment.yaml").read_bytes()
    _written(folder, "experiment.yaml", experiment)
    open_case(str(folder))


def _decision_rule(data: bytes, folder: Path) -> None:
    _written(folder, "decision_rule.json", data)
    kind = next((i for i, rule in enumerate(RULES) if json.loads(rule)["kind"].encode() in data), 0)
    load_task(folder, TASKS[kind])


def _exported(data: bytes, folder: Path) -> None:
    for name in ("decision_rule.json", "model.safetensors"):
        _written(folder, name, b"{}")
    _written(folder, "metrics.json", data)
    known_facts(folder)
    known_decision(folder)
    _written(folder, "experiment.yaml", data)
    read_experiment(folder)


def _journal(data: bytes, folder: Path) -> None:
    storage = _journal_storage(_written(folder, "optuna.journal", data))
    for study in storage.get_all_studies():
        storage.get_all_trials(study._study_id)


def _npz(**arrays: object) -> bytes:
    held = io.BytesIO()
    np.savez(held, **arrays)  # type: ignore[arg-type]
    return held.getvalue()


def _table(kind: str, rows: list[dict[str, object]]) -> bytes:
    held, frame = io.BytesIO(), pd.DataFrame(rows)
    if kind == "parquet":
        frame.to_parquet(held)
        return held.getvalue()
    table = pyarrow.Table.from_pandas(frame)
    with pyarrow.ipc.new_file(held, table.schema) as writer:
        writer.write_table(table)
    return held.getvalue()


def _csv(rows: list[dict[str, object]], separator: str = ",") -> bytes:
    return pd.DataFrame(rows).to_csv(index=False, sep=separator).encode()


def _jsonl(rows: list[dict[str, object]]) -> bytes:
    return "\n".join(map(json.dumps, rows)).encode()


def _zip(data: bytes) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("d.csv", data)
    return held.getvalue()


def _zstd(data: bytes) -> bytes:
    return bytes(pyarrow.compress(data, "zstd", asbytes=True))


TASKS = tuple(
    TypeAdapter(TaskConfig).validate_python(section)
    for section in (
        {"kind": "multiclass", "classes": ["a", "b"]},
        {"kind": "multilabel", "labels": ["a", "b"]},
        {"kind": "ordinal", "classes": ["a", "b", "c"]},
        {"kind": "tiered_scores", "dimensions": {"x": {}, "y": {}}, "tiers": {"low": 0, "high": 5}},
    )
)
LEDGER = (GOLDEN / "runs" / "tiers" / "ledger.jsonl").read_bytes()
RULES = tuple(json.dumps(task.task(("a", "b")).decision_rule()).encode() for task in TASKS)
ASSIGNMENTS = (
    b"training.epochs=3\nmodel.lora.rank=4",
    b"space.model.lora.rank={choices: [4, 8]}",
    b"task.classes=[a, b]\ndata.folds=3",
    b"criteria=['recall[b] >= 0.4']\nsearch.stop_early=null",
)
CRITERIA = (
    b"recall[b] >= 0.40",
    b"minority_f1 > 0.1",
    b"recall[*]@script=kana >= .5",
    b"precision[a] >= 1e-3",
    b"accuracy == 1",
)
JOURNAL = (
    b'{"op_code": 0, "worker_id": "w", "study_name": "a", "directions": [2]}\n'
    b'{"op_code": 4, "worker_id": "w", "study_id": 0, "datetime_start": "2026-01-01T00:00:00.000000"}\n'
    b'{"op_code": 6, "worker_id": "w", "trial_id": 0, "state": 1, "values": [0.5], '
    b'"datetime_complete": "2026-01-01T00:00:01.000000"}\n',
)

SURFACES: dict[str, Surface] = {
    "experiment files": Surface(
        tuple(text for path in sorted(EXPERIMENTS.glob("*.yaml")) if b"extends" not in (text := path.read_bytes())),
        _experiment,
        (b"space: auto\n", b"bands:\n", b"extends: experiment.yaml\n", b"? [a]\n", b"<<: *a\n", b"plugins: x\n"),
    ),
    "--set": Surface(ASSIGNMENTS, _set, (b"space.", b"data.", b"=", b".", b"bands.", b"resources.")),
    "criteria": Surface(CRITERIA, _criteria, (b"recall", b"[*]", b"[any]", b"@a=b", b">=", b"((", b"recall[" * 3000)),
    "CSV": Surface((_csv(ROWS), _csv(ROWS, ";")), _lines("d.csv", 1)),
    "TSV": Surface((_csv(ROWS, "\t"),), _lines("d.tsv", 1)),
    "JSON Lines": Surface((_jsonl(ROWS),), _lines("d.jsonl", 0)),
    "JSON": Surface((json.dumps(ROWS).encode(), pd.DataFrame(ROWS).to_json().encode()), _data("d.json")),
    "Parquet": Surface((_table("parquet", ROWS),), _data("d.parquet")),
    "Arrow": Surface((_table("arrow", ROWS),), _data("d.arrow")),
    "Excel": Surface((workbook(ROWS),), _data("d.xlsx")),
    "arrays": Surface((_npz(text=np.array(["a", "b"]), label=np.array([0, 1])),), _data("d.npz")),
    "gzip": Surface((_csv(ROWS),), _data("d.csv.gz"), pack=gzip.compress),
    "bzip2": Surface((_csv(ROWS),), _data("d.csv.bz2"), pack=bz2.compress),
    "xz": Surface((_csv(ROWS),), _data("d.csv.xz"), pack=lzma.compress),
    "Zstandard": Surface((_csv(ROWS),), _data("d.csv.zst"), pack=_zstd),
    "zip": Surface((_csv(ROWS),), _data("d.zip"), pack=_zip),
    "outside predictions, CSV": Surface((_csv(PREDICTED),), _outside("p.csv")),
    "outside predictions, JSON Lines": Surface((_jsonl(PREDICTED),), _outside("p.jsonl")),
    "outside predictions, JSON": Surface((json.dumps(PREDICTED).encode(),), _outside("p.json")),
    "outside predictions, Parquet": Surface((_table("parquet", PREDICTED),), _outside("p.parquet")),
    "ledgers": Surface(
        (LEDGER,), _ledger, (b'"epoch"', b'"kind": "end"', b'"params": {}', b"1e400", b'"metrics": null')
    ),
    "diagnose": Surface((LEDGER,), _diagnose, (b'"params": {"model.lora.rank": "x"}', b'"params": {"training": 1}')),
    "decision rules": Surface(RULES, _decision_rule, (b'"offsets": [NaN]', b'"classes": 3', b'"thresholds"', b"1e400")),
    "exported folders": Surface(
        (
            (GOLDEN / "exported_adapter" / "metrics.json").read_bytes(),
            (GOLDEN / "exported_adapter" / "experiment.yaml").read_bytes(),
        ),
        _exported,
        (b'"decision": {"outcome": 1}', b'"validation": []'),
    ),
    "journals": Surface(JOURNAL, _journal, (b'"op_code": 7', b'"trial_id": 99', b'"state": 9')),
}
