"""Four runs made to fail: does `rarecall diagnose` name the cause, and does its advice improve the figure it names?

    python benchmarks/diagnosis.py [--rows 1000] [--seeds 1] [--only "no mitigation"]

1,000 generated articles in four tiers (811, 108, 67 and 14), half of them to validate on, so that the rarest tier has
some rows to tell; MiniLM with LoRA on its last layer. Each run is written to a ledger, `diagnose` reads it, writes an
experiment with its changes, and that is trained on the same rows.
"""

import argparse
import json
import math
import os
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import torch
from rich.console import Console

from rarecall.analysis.criteria.ranking import best_epoch, score
from rarecall.analysis.diagnosis import Case, DiagnosedWarning, applied, diagnose
from rarecall.analysis.diagnosis.text import change_text
from rarecall.analysis.metrics.registry import find
from rarecall.analysis.runs.ledger import LEDGER_NAME, Ledger
from rarecall.analysis.runs.run import EpochRow
from rarecall.search.engine.preparation.frozen_states import with_frozen_states
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment
from rarecall.search.experiment.yaml_file import write_yaml
from rarecall.search.review.diagnose import open_case, write_advised
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.demo.articles import CUTS, TIER_COUNTS, WEIGHTS, generate_articles
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, load_processor
from rarecall.trainables.training.loop import train
from rarecall.trainables.training.mitigation import mitigation
from rarecall.trainables.training.worker import Worker

SOUND: dict[str, Any] = {
    "model": {"max_length": 40, "lora": {"rank": 8, "dropout": 0.05, "layers": "last 1"}},
    "training": {
        "epochs": 5,
        "batch_size": 16,
        "learning_rate": 3e-3,
        "oversampling": {"ratio": 0.2},
        "class_weights": {"strength": 0.5},
    },
}
RARE = tuple(TIER_COUNTS)[1:]
# What is changed of the sound settings, and the rule that has to come first.
FAILURES: dict[str, tuple[dict[str, Any], str]] = {
    "rank 128, no dropout": (
        {"model.lora.rank": 128, "model.lora.dropout": 0.0, "training.weight_decay": 0.0, "training.epochs": 12},
        "overfits",
    ),
    "learning rate × 100": ({"training.learning_rate": 0.3}, "learning_rate_too_high"),
    "no mitigation": (
        {
            "training.oversampling.ratio": 0.0,
            "training.class_weights.strength": 0.0,
            "training.learning_rate": 1e-3,
            "training.epochs": 3,
        },
        "no_mitigation",
    ),
    "weights of 100": ({"training.class_weights.values": dict.fromkeys(RARE, 100.0)}, "weights_too_large"),
}


class Workbench:
    """Data and base model, prepared once."""

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        write_tiers(folder / "articles.jsonl", rows)
        write_yaml(folder / "sound.yaml", experiment())
        loaded = load_experiment(folder / "sound.yaml")
        base = resolve_base("minilm")
        data = prepare(loaded.experiment, load_processor(base), base=folder)
        self.data: PreparedData = with_frozen_states(data, loaded.experiment, base, Console())
        self.pool = ClassifierPool(base, data.task.output_names, data.pad_id)

    def run(self, loaded: LoadedExperiment, name: str, seed: int) -> Case:
        """Train the settings of an experiment, write its run folder and open it as `diagnose` does."""
        folder = self.folder / name
        folder.mkdir()
        write_yaml(folder / "experiment.yaml", loaded.tree_for_run())
        config = TrialConfig.model_validate(loaded.trial_tree({"training.seed": seed}))
        labels, split = self.data.task.label_space, self.data.train
        amounts = mitigation(split.classes, labels, config.training, split.scores, split.labels)
        with Ledger(folder / LEDGER_NAME) as ledger:
            ledger.append(
                {
                    **{"kind": "run", "run_id": name, "name": name, "criteria": [], "objective": "minority_recall"},
                    **{"labels": asdict(labels), "class_counts": self.data.class_counts, "data_hash": ""},
                    **{"versions": {}, "trials_asked": 1, "seed": seed},
                }
            )
            told = amounts.table(labels.classes)
            ledger.append({"kind": "trial", "trial": "t", "params": {"training.seed": seed}, "mitigation": told})
            self._epochs(config, ledger)
        return open_case(f"{folder}:t")

    def _epochs(self, config: TrialConfig, ledger: Ledger) -> None:
        best, waited, patience = -math.inf, 0, config.training.early_stopping
        for result in train(config, self.data, self.pool, Worker()):
            if result.diverged:
                reason = "the loss is no longer finite"
                ledger.append({"kind": "end", "trial": "t", "status": "failed", "reason": reason})
                return
            value = score(result.metrics, [])
            ledger.append(
                {
                    **{"kind": "epoch", "trial": "t", "epoch": result.epoch, "metrics": result.metrics},
                    **{"confusion": result.confusion, "train_loss": result.train_loss, "score": value},
                    **{"validation_loss": result.validation_loss, "seconds": result.seconds, "peak_memory_mb": 0},
                    **{"checkpoint": None, "predictions": None},
                }
            )
            best, waited = (value, 0) if value > best else (best, waited + 1)
            if patience is not None and waited >= patience:
                break
        ledger.append({"kind": "end", "trial": "t", "status": "completed", "reason": ""})


def experiment() -> dict[str, Any]:
    data = {"path": "articles.jsonl", "text": ["title", "text"], "label": "tier"}
    return {
        "name": "sound",
        "data": {**data, "split": {"validation": 0.5, "test": 0.0}},
        "task": {"kind": "multiclass", "classes": list(TIER_COUNTS)},
        **SOUND,
    }


def write_tiers(path: Path, rows: int) -> None:
    """The generated articles with their tier, which is what a classifier learns."""
    names = tuple(TIER_COUNTS)
    with path.open("w", encoding="utf-8") as file:
        for article in generate_articles(rows):
            overall = sum(weight * round(10 * article[name]) for name, weight in WEIGHTS.items())
            file.write(json.dumps({**article, "tier": names[sum(overall > cut for cut in CUTS)]}) + "\n")


def figure(case: Case, name: str) -> float:
    """The metric of the best epoch, or the validation loss of the last one; the worst possible for a diverged trial."""
    if not case.epochs:
        return math.inf if name.endswith("loss") else 0.0
    row: EpochRow = best_epoch(case.epochs, case.run.criteria, case.run.objective)
    return case.epochs[-1].validation_loss if name == "validation_loss" else row.metrics[name]


def better(name: str, before: float, after: float) -> bool:
    metric = find(name)
    return after > before if metric is not None and metric.direction == "max" else after < before


def tell(failure: str, wanted: str, warnings: tuple[DiagnosedWarning, ...], before: Case, after: Case) -> bool:
    first = warnings[0]
    one, two = figure(before, first.figure), figure(after, first.figure)
    named, improved = first.rule == wanted, better(first.figure, one, two)
    print(f"\n{failure}\n  cause: {first.says} ({first.rule}{'' if named else f', not {wanted}'})")
    print("".join(f"    {line}\n" for line in first.observed.evidence), end="")
    print("".join(f"  {change_text(change)}\n" for change in applied(warnings).values()), end="")
    others = "; ".join(f"{name} {figure(before, name):.3f} -> {figure(after, name):.3f}" for name in ALSO)
    print(f"  {first.figure}: {one:.3f} -> {two:.3f}, {'better' if improved else 'NOT better'}   ({others})")
    return named and improved


ALSO = ("minority_recall", "minority_precision", "macro_f1", "validation_loss")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1000)
    parser.add_argument("--seeds", type=int, default=1)
    parser.add_argument("--only", choices=FAILURES, nargs="+", default=list(FAILURES))
    options = parser.parse_args()
    torch.set_num_threads(int(os.environ.get("OMP_NUM_THREADS", "1")))
    started, right, total = time.perf_counter(), 0, 0
    with tempfile.TemporaryDirectory() as scratch:
        bench = Workbench(Path(scratch), options.rows)
        for seed in range(options.seeds):
            for number, failure in enumerate(options.only, start=len(FAILURES) * seed):
                changes, wanted = FAILURES[failure]
                made = load_experiment(bench.folder / "sound.yaml", changes)
                before = bench.run(made, f"failed-{number}", seed)
                warnings = diagnose(before)
                total += 1
                if not warnings:
                    print(f"\n{failure}\n  no warning found")
                    continue
                write_advised(before, applied(warnings), bench.folder / f"advised-{number}.yaml")
                after = bench.run(load_experiment(bench.folder / f"advised-{number}.yaml"), f"advised-{number}", seed)
                right += tell(failure, wanted, warnings, before, after)
    print(f"\n{right} of {total}: the right cause first, and its figure better; {time.perf_counter() - started:.0f} s")
    return int(right < total)


if __name__ == "__main__":
    sys.exit(main())
