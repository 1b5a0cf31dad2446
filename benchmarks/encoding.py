"""Reading, splitting, encoding and sampling many rows: texts per second, and memory for a million of them.

    python benchmarks/encoding.py [--rows 1000000] [--words 50] [--rate-rows 20000]

Texts are words drawn from the embedded articles. The rate is that of `encode` alone, with the tokenizer of `minilm`, on
all cores; memory is the most that a process of its own held while it read a JSONL file, split, encoded and sampled it.
"""

import argparse
import json
import os
import platform
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import encode
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.demo.articles import write_articles
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_tokenizer
from rarecall.trainables.training.batches import plan_epoch
from rarecall.trainables.training.mitigation import epoch_rows

RATE_GOAL, MEMORY_GOAL_GB = 5000, 6
RARE_EVERY = 100


def texts(count: int, words: int) -> Iterator[str]:
    """`count` texts of `words` words each."""
    generator = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        write_articles(Path(folder, "articles.jsonl"), 300, 7)
        lines = Path(folder, "articles.jsonl").read_text().splitlines()
    vocabulary = " ".join(json.loads(line)["text"] for line in lines).split()
    for _ in range(count):
        yield " ".join(generator.choices(vocabulary, k=words))


def rate(rows: int, words: int) -> float:
    """Texts encoded per second."""
    drawn = tuple(texts(rows, words))
    examples = Examples(np.arange(rows), drawn, np.zeros(rows, dtype=np.int64))
    tokenizer = load_tokenizer(resolve_base("minilm"))
    encode(tokenizer, examples.take(np.arange(min(rows, 1000))), 128)  # the first call starts threads
    started = time.perf_counter()
    encode(tokenizer, examples, 128)
    return rows / (time.perf_counter() - started)


def whole_path(path: Path) -> dict[str, float]:
    """Read, split, encode and sample a file in this process: seconds of each, and the most memory it held."""
    config = TrialConfig.model_validate(
        {
            "data": {"path": str(path), "label": "label"},
            "task": {"kind": "multiclass"},
            "model": {"max_length": 128},
            "training": {"oversampling": {"ratio": 0.2}},
        }
    )
    started = time.perf_counter()
    data = prepare(config, load_tokenizer(resolve_base("minilm")), base=path.parent)
    prepared = time.perf_counter()
    rows = epoch_rows(data.train.classes, data.task.label_space, config.training, 1)
    plan_epoch(rows, data.train.lengths, 32, 0, 1)
    return {
        "prepare_seconds": prepared - started,
        "sample_seconds": time.perf_counter() - prepared,
        "gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }


def measure(rows: int, words: int, rate_rows: int) -> None:
    found = rate(rate_rows, words)
    print(f"{platform.machine()}, {os.cpu_count()} cores; texts of {words} words")
    print(f"encoded {found:,.0f} texts/s; goal: at least {RATE_GOAL:,}")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "rows.jsonl")
        with path.open("w") as file:
            for number, text in enumerate(texts(rows, words)):
                label = "rare" if number % RARE_EVERY == 0 else "common"
                file.write(json.dumps({"text": text, "label": label}) + "\n")
        command = [sys.executable, __file__, "--file", str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
    facts = json.loads(done.stdout)
    print(
        f"{rows:,} rows read, split and encoded in {facts['prepare_seconds']:.0f} s, an epoch sampled in "
        f"{facts['sample_seconds']:.1f} s; {facts['gigabytes']:.1f} GB at most, goal: at most {MEMORY_GOAL_GB}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--words", type=int, default=50)
    parser.add_argument("--rate-rows", type=int, default=20_000)
    parser.add_argument("--file", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.file:
        print(json.dumps(whole_path(options.file)))
    else:
        measure(options.rows, options.words, options.rate_rows)


if __name__ == "__main__":
    main()
