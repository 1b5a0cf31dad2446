"""Time of reading and evaluating as the input doubles: a ratio near 2 is linear.

    python benchmarks/doubling.py [ROWS]

Prints a table: for each step the seconds at ROWS and at twice as many, and their ratio. Exit code 1 where one is above
2.3 and takes a second at least.
"""

import json
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_names import alike_groups
from rarecall.analysis.predictions.outside_file import Meaning, read_told
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits

WORDS = np.array(["pump", "valve", "delivery", "sensor", "broke", "late", "again", "invoice", "screen", "ok"])
MOST = 2.3
LEAST_SECONDS = 1.0


def frame(rows: int, classes: int = 4) -> pd.DataFrame:
    """Rows of 50 words."""
    generator = np.random.default_rng(0)
    words = WORDS[generator.integers(0, len(WORDS), (rows, 50))]
    texts = [" ".join(row) + f" {i}" for i, row in enumerate(words.tolist())]
    return pd.DataFrame({"text": texts, "label": [f"c{i % classes}" for i in range(rows)]})


def _reading(name: str, write: Callable[[pd.DataFrame, Path], object]) -> Callable[[int, Path], Callable[[], object]]:
    def prepared(rows: int, folder: Path) -> Callable[[], object]:
        write(frame(rows), folder / name)
        trial = {"data": {"path": name, "label": "label"}, "task": {"kind": "multiclass"}}
        return lambda: load_splits(TrialConfig.model_validate(trial), folder)

    return prepared


def _jsonl(data: pd.DataFrame, path: Path) -> None:
    path.write_text("\n".join(map(json.dumps, data.to_dict("records"))))


def _outside(rows: int, folder: Path) -> Callable[[], object]:
    generator = np.random.default_rng(0)
    pair = {"true": generator.integers(0, 5, rows), "predicted": generator.integers(0, 5, rows)}
    pd.DataFrame(pair).to_csv(folder / "p.csv", index=False)

    def judged() -> object:
        predictions, labels, _ = read_told(folder / "p.csv", Meaning())
        return evaluate(predictions, labels)

    return judged


def _classes(rows: int, folder: Path) -> Callable[[], object]:
    """As many names as there are rows, among which look-alikes are sought."""
    names = {f"name {i}": i for i in range(rows)}
    return lambda: alike_groups(names)


STEPS: dict[str, Callable[[int, Path], Callable[[], object]]] = {
    "read and split CSV": _reading("d.csv", lambda data, path: data.to_csv(path, index=False)),
    "read and split TSV": _reading("d.tsv", lambda data, path: data.to_csv(path, index=False, sep="\t")),
    "read and split CSV, gzip": _reading("d.csv.gz", lambda data, path: data.to_csv(path, index=False)),
    "read and split JSON Lines": _reading("d.jsonl", _jsonl),
    "read and split a JSON array": _reading("d.json", lambda data, path: data.to_json(path, orient="records")),
    "read and split Parquet": _reading("d.parquet", lambda data, path: data.to_parquet(path)),
    "evaluate predictions": _outside,
    "names that look alike": _classes,
}


def seconds(step: str, rows: int) -> float:
    """CPU seconds of a step."""
    with tempfile.TemporaryDirectory() as folder:
        run = STEPS[step](rows, Path(folder))
        started = time.process_time()
        run()
        return time.process_time() - started


def main(rows: int = 100_000) -> int:
    """Print the table."""
    print(f"| step | {rows:,} rows (s) | {2 * rows:,} rows (s) | ratio |\n|---|---|---|---|")
    slow = False
    for step in STEPS:
        once, twice = seconds(step, rows), seconds(step, 2 * rows)
        slow = slow or (twice / once > MOST and twice > LEAST_SECONDS)
        print(f"| {step} | {once:.2f} | {twice:.2f} | {twice / once:.2f} |", flush=True)
    return int(slow)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
