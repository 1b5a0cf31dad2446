"""Train configurations of one real experiment for all their epochs, once, and keep their curves for `replay.py`.

    python benchmarks/prepare_data.py davidson
    python benchmarks/replay_curves.py [--configurations 200] [--output runs/replay/curves.jsonl]

The experiment is `experiments/davidson_hate.yaml` made small: tweets of which 5.8 % are hate, MiniLM with LoRA on its
last layer from stored states, no decision rule. The configurations are a Sobol sample of its space. For every epoch the
file holds what was predicted for the rows of validation and for others that no training saw: 250 of each class, since
the recall of the rare one is to be known exactly; `replay_table.py` weighs them by how common their classes are.
Configurations that could be finalists are trained again on three folds of training and validation rows with other
seeds, up to their best epoch, and the file holds the confusion matrices of all folds together.

Restartable: what the file holds already is not trained again. An hour on 2 idle cores.
"""

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, replace
from multiprocessing import get_context
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false", OMP_NUM_THREADS="1")

import numpy as np
import torch
import transformers
from optuna.distributions import distribution_to_json
from replay_table import Row, best_epochs, read_rows, table_of, text_of

from rarecall.analysis.arrays import IntArray
from rarecall.analysis.metrics.evaluation import confusion_matrix
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment
from rarecall.search.experiment.unit_cube import sobol_sample
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import EncodedSplit, encode, joined
from rarecall.trainables.data.folds import with_folds
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.bases import BaseModel, resolve_base
from rarecall.trainables.models.classifier import ClassifierPool, load_classifier, load_processor
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix, kept_layers
from rarecall.trainables.training.epoch import EpochResult
from rarecall.trainables.training.loop import train
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import trial_and_data
from rarecall.trainables.training.worker import Worker

ROOT = Path(__file__).parents[1]
EXPERIMENT = ROOT / "experiments" / "davidson_hate.yaml"
CRITERIA = ("recall[other] >= 0.85", "precision[hate] >= 0.20")
OVERRIDES: Mapping[str, Any] = {
    "data.max_train_rows": 1000,
    "search.rows": None,
    "data.split": {"validation": 0.02, "test": 0.3, "seed": 42},
    "model.max_length": 32,
    "model.lora": {"targets": "attention", "layers": "last 1"},
    "training.epochs": 5,
    "training.precision": "bf16",
    "training.class_weights": {"scheme": "power", "cap": 20},
    "training.decision_rule.fit": False,
    "space.training.class_weights.scheme": None,
    "space.training.class_weights.strength": {"low": 0.0, "high": 1.0},
    "space.training.learning_rate": {"low": 5e-5, "high": 1e-2, "log": True},
    "space.model.lora.rank": {"choices": [4, 8, 16, 32]},
    "criteria": list(CRITERIA),
    "objective": "minority_recall",
}
HELD_OUT_PER_CLASS = 250
FOLDS, FINALISTS = 3, 80
# By which it is found out what could be a finalist.
DIVISIONS, BEST_OF_A_DIVISION = 100, 20
FIRST_SEED = 1


class _Process:
    """What one training process keeps."""

    loaded: LoadedExperiment
    data: PreparedData
    folded: PreparedData
    pool: ClassifierPool


def open_process(loaded: LoadedExperiment, base: BaseModel, data: PreparedData, folded: PreparedData) -> None:
    """Called once in each training process. data: with the held-out rows behind those of the validation split."""
    torch.set_num_threads(1)
    transformers.logging.set_verbosity_error()
    _Process.loaded, _Process.data, _Process.folded = loaded, data, folded
    _Process.pool = ClassifierPool(base, data.task.output_names, data.pad_id)


def curve(number: int, params: Mapping[str, Any]) -> Row:
    """All epochs of one configuration; a diverged one has no predictions."""
    results = _trained(_Process.loaded.trial_tree({**params, "training.seed": FIRST_SEED + number}), _Process.data)
    return {
        "kind": "curve",
        "configuration": number,
        "params": dict(params),
        "epochs": [
            {"predicted": _classes(result), "train_loss": result.train_loss, "seconds": round(result.seconds, 3)}
            for result in results
        ],
    }


def folds(number: int, params: Mapping[str, Any], until: int) -> Row:
    """Confusion matrices of all folds together, for each epoch up to `until`."""
    labels = _Process.data.task.label_space
    summed = np.zeros((until, len(labels.classes), len(labels.classes)), dtype=np.int64)
    for fold in range(FOLDS):
        tree = _Process.loaded.trial_tree({**params, "training.seed": FIRST_SEED + 1000 * (fold + 1) + number})
        for index, result in zip(range(until), _trained(tree, _Process.folded, fold), strict=False):
            if result.predictions is not None:
                summed[index] += np.array(confusion_matrix(result.predictions, labels))
    return {"kind": "folds", "configuration": number, "confusion": summed.tolist()}


def _trained(config: Mapping[str, Any], data: PreparedData, fold: int | None = None) -> Iterator[EpochResult]:
    trial, chosen = trial_and_data(TrialRequest("", {}, config, fold=fold), data)
    return train(trial, chosen, _Process.pool, Worker())


def _classes(result: EpochResult) -> str:
    if result.predictions is None or result.predictions.predicted_class is None:
        return ""
    return text_of(result.predictions.predicted_class)


def load(data_path: Path | None) -> LoadedExperiment:
    """The experiment, with its data elsewhere where a path is given."""
    elsewhere = {"data.path": str(data_path.resolve())} if data_path else {}
    return load_experiment(EXPERIMENT, {**OVERRIDES, **elsewhere})


def sample(loaded: LoadedExperiment, count: int) -> list[dict[str, Any]]:
    """A scrambled Sobol sample of the experiment's space."""
    space = {key: entry.distribution() for key, entry in loaded.experiment.full_space().items()}
    return sobol_sample(space, {}, count)


def held_out_rows(classes: IntArray) -> IntArray:
    """Positions of `HELD_OUT_PER_CLASS` rows of each class, or of all where there are fewer."""
    generator = np.random.default_rng(0)
    rows = [generator.permutation(np.flatnonzero(classes == name))[:HELD_OUT_PER_CLASS] for name in np.unique(classes)]
    return np.sort(np.concatenate(rows))


def with_states(loaded: LoadedExperiment, base: BaseModel) -> tuple[PreparedData, EncodedSplit]:
    """The data and the held-out rows, both with the states that the frozen layers give."""
    model = loaded.experiment.model
    processor = load_processor(base)
    data = prepare(TrialConfig.model_validate(loaded.trial_tree({})), processor, base=loaded.folder)
    assert data.test is not None
    held_out = encode(processor, data.test.take(held_out_rows(data.test.classes)), model.max_length)
    kept = kept_layers(model.adapter, model.lora.layers)
    assert kept is not None
    prefix = FrozenPrefix(load_classifier(base, data.task.output_names, data.pad_id), kept)
    train_split, validation = (prefix.with_states(part, data.pad_id) for part in (data.train, data.validation))
    return replace(data, train=train_split, validation=validation), prefix.with_states(held_out, data.pad_id)


def header(loaded: LoadedExperiment, data: PreparedData, held_out: EncodedSplit) -> Row:
    """What `replay.py` must know beside the curves."""
    space = loaded.experiment.full_space()
    settings = loaded.experiment.settings()
    return {
        "kind": "header",
        "experiment": loaded.experiment.name,
        "criteria": list(loaded.experiment.criteria),
        "objective": loaded.experiment.objective,
        "epochs": loaded.experiment.training.epochs,
        "labels": asdict(data.task.label_space),
        "class_counts": data.class_counts,
        "true": text_of(np.concatenate([data.validation.classes, held_out.classes])),
        "space": {key: distribution_to_json(entry.distribution()) for key, entry in space.items()},
        "settings": {key: _value_at(settings, key) for key in space},
        "data_hash": data.data_hash,
    }


def _value_at(tree: Any, key: str) -> Any:
    for name in key.split("."):
        tree = tree[name]
    return tree


def plausible_finalists(rows: Sequence[Row]) -> dict[int, int]:
    """The last epoch that matters by configuration, of those that are most often among the best of a division."""
    table = table_of(rows)
    often: Counter[int] = Counter()
    until: dict[int, int] = {}
    for seed in range(DIVISIONS):
        for _, number, epoch in best_epochs(table.divided(seed))[:BEST_OF_A_DIVISION]:
            often[number] += 1
            until[number] = max(until.get(number, 0), epoch)
    return {number: until[number] for number, _ in often.most_common(FINALISTS)}


class CurveFile:
    """A file that rows are added to as they arrive."""

    def __init__(self, path: Path) -> None:
        self.path, self.rows = path, read_rows(path)
        path.parent.mkdir(parents=True, exist_ok=True)

    def of_kind(self, kind: str) -> list[Row]:
        return [row for row in self.rows if row["kind"] == kind]

    def add(self, row: Row) -> None:
        self.rows.append(row)
        # A line that a kill cut off ends here, so that the new row stands on a line of its own.
        cut_off = self.path.is_file() and not self.path.read_bytes().endswith(b"\n") and self.path.stat().st_size > 0
        with self.path.open("a") as file:
            file.write(("\n" if cut_off else "") + json.dumps(row) + "\n")


def run(path: Path, configurations: int, processes: int, data_path: Path | None) -> None:
    """Train what the file does not hold yet."""
    loaded = load(data_path)
    base = resolve_base(loaded.experiment.model.base, loaded.folder)
    data, held_out = with_states(loaded, base)
    file = CurveFile(path)
    if not file.of_kind("header"):
        file.add(header(loaded, data, held_out))
    measured = replace(data, validation=joined(replace(data.validation, groups=None), held_out), test=None)
    work = (loaded, base, measured, with_folds(data, FOLDS, seed=0))
    with ProcessPoolExecutor(processes, get_context("spawn"), open_process, work) as pool:
        known = {row["configuration"] for row in file.of_kind("curve")}
        wanted = [item for item in enumerate(sample(loaded, configurations)) if item[0] not in known]
        _collect(file, [pool.submit(curve, number, params) for number, params in wanted], "curves")
        params_of = {row["configuration"]: row["params"] for row in file.of_kind("curve")}
        reached = {row["configuration"]: len(row["confusion"]) for row in file.of_kind("folds")}
        left = {n: epoch for n, epoch in plausible_finalists(file.rows).items() if epoch > reached.get(n, 0)}
        _collect(file, [pool.submit(folds, n, params_of[n], epoch) for n, epoch in left.items()], "folds")


def _collect(file: CurveFile, futures: Sequence[Any], what: str) -> None:
    for number, future in enumerate(as_completed(futures), 1):
        file.add(future.result())
        print(f"{what} {number}/{len(futures)}", file=sys.stderr, flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--configurations", type=int, default=200)
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "replay" / "curves.jsonl")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--data", type=Path, help="davidson_hate.jsonl, where it is not in data/")
    options = parser.parse_args()
    transformers.logging.set_verbosity_error()
    run(options.output, options.configurations, options.processes, options.data)
    return 0


if __name__ == "__main__":
    sys.exit(main())
