r"""What a search is worth on an experiment's test split: beside baselines, and beside the same model unmitigated.

    python benchmarks/systems.py experiments/retina_grades.yaml [--seeds 0 1 2] [--metrics macro_f1 minority_recall …]
    rarecall generate -o data/many_articles.jsonl --rows 10400
    python benchmarks/systems.py experiments/technology_filter.yaml --set data.path=../data/many_articles.jsonl \
        --set data.split.validation=0.05 --set data.split.test=0.75

For each seed, a search (the seed is that of the search and of training), its winner exported and measured on the test
split; and one training of the experiment's own settings with every remedy off. Mean and range over the seeds. The
baselines are those of `rarecall baseline`, on all training rows. Run folders go where the experiment puts them, with
the seed behind their names.

The second example trains on as many articles as the experiment has by itself, and judges by 7,800 instead of 208.
"""

import argparse
import contextlib
import io
import json
import os
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

from rich.console import Console
from seed_table import seed_table, spread

from rarecall.analysis.errors import Fault, InputError, RarecallError
from rarecall.search.engine.launch import LaunchOptions, launch
from rarecall.search.engine.preparation.baselines import baselines_alone
from rarecall.search.experiment.overrides import parse_assignments
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment
from rarecall.search.export.command import ExportOptions, export_trial

UNMITIGATED = {
    "training.oversampling.ratio": 0.0,
    "training.weighted_sampling.strength": 0.0,
    "training.class_weights.scheme": "none",
    "training.class_weights.values": {},
    "training.loss": {"gamma": 0.0},
    "training.decision_rule.fit": False,
}
SHOWN = ("minority_recall", "minority_precision", "minority_f1", "macro_f1", "accuracy")
Metrics = Mapping[str, float]


def test_metrics(loaded: LoadedExperiment, folder: Path) -> tuple[Metrics, float]:
    """Metrics of the winner on the test split, and minutes of the search without the export."""
    started = time.perf_counter()
    # The live view is for people; a benchmark's output is its table.
    quiet = Console(file=io.StringIO())
    launch(loaded, LaunchOptions(folder, overwrite=True), quiet)
    minutes = (time.perf_counter() - started) / 60
    exported = folder.parent / f"{folder.name}-exported"
    shutil.rmtree(exported, ignore_errors=True)
    # What it misses is what the table is about.
    export_trial(ExportOptions(folder, exported, force=True), quiet)
    facts = json.loads((exported / "metrics.json").read_text())
    shutil.rmtree(exported)
    return {key: float("nan") if value is None else value for key, value in facts["test"].items()}, minutes


def load(path: Path, seed: int, overrides: Mapping[str, Any]) -> LoadedExperiment:
    return load_experiment(path, {"search.seed": seed, "training.seed": seed, **overrides})


def compare(path: Path, changes: Mapping[str, Any], seeds: Sequence[int], shown: Sequence[str]) -> str:
    """The table: one column per metric, baselines and ways down the side."""
    plain = load_experiment(path, changes)
    _, measured = baselines_alone(plain, Console(stderr=True), test=True)
    if not measured:
        raise InputError("data.split", [Fault("data.split.test", "must leave test rows to be judged by", "none")])
    rows: dict[str, list[Metrics]] = {name: [metrics] for name, metrics in measured.items()}
    _check_shown(shown, rows)
    minutes = []
    for seed in seeds:
        for name, overrides in (("no mitigation", UNMITIGATED), ("rarecall", {})):
            loaded = load(path, seed, {"search.baselines": False, **changes, **overrides})
            loaded = loaded.without_search() if overrides else loaded
            folder = loaded.run_folder().with_name(f"{loaded.experiment.name}-seed{seed}")
            metrics, taken = test_metrics(loaded, folder)
            rows.setdefault(name, []).append(metrics)
            minutes += [] if overrides else [taken]
            told = "  ".join(f"{key} {metrics[key]:.3f}" for key in shown)
            print(f"{name}, seed {seed}, {taken:.1f} min: {told}", file=sys.stderr, flush=True)
    took = f"search of {plain.experiment.search.trials} trials: {spread(minutes, 1)} min"
    return "\n".join(
        [*seed_table("on the test split", rows, shown), f"{took}; mean (lowest to highest) of seeds {list(seeds)}"]
    )


def _check_shown(shown: Sequence[str], rows: Mapping[str, Sequence[Metrics]]) -> None:
    """Before hours of training, and not after them."""
    known = set.intersection(*(set(metrics) for found in rows.values() for metrics in found))
    if unknown := [key for key in shown if key not in known]:
        faults = [
            Fault("--metrics", f"must be metrics of the task: {', '.join(sorted(known))}", key) for key in unknown
        ]
        raise InputError("--metrics", faults)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("experiment", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--metrics", nargs="+", default=list(SHOWN))
    parser.add_argument("--set", dest="changes", action="append", default=[], metavar="KEY=VALUE")
    options = parser.parse_args()
    try:
        changes = parse_assignments(options.changes)
        print(compare(options.experiment, changes, options.seeds, options.metrics))
    except RarecallError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):
        sys.exit(main())
