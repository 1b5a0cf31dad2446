"""Fine-tune many random mitigations on several real sets, once, and keep what each predicts for a large pool of rows.

    RARECALL_DATA_DIR=… python benchmarks/prepare_data.py davidson clinc emobank goemotions
    python benchmarks/curves.py [--configurations 100] [--output runs/curves]

The sets are experiments made small: 2,000 training rows in their own proportions, MiniLM with LoRA on its last two
layers from stored states, two epochs, a fitted decision rule. Configurations are a Sobol sample of the space below. For
every epoch the folder holds the predictions of up to 3,000 validation rows, as a run has them (Parquet), decided by a
cross-fitted rule, and `curves.jsonl` the parameters and metrics. `benchmarks/screen.py` reads it.

Restartable: what is there is not trained again. About 25 minutes a set for 100 configurations on 2 idle cores.
"""

import argparse
import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

os.environ.update(HF_HUB_OFFLINE="1", TOKENIZERS_PARALLELISM="false")

import numpy as np
import transformers

from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.search.engine.preparation.goals import goal_of
from rarecall.search.experiment.schema import LoadedExperiment, load_experiment
from rarecall.search.experiment.unit_cube import sobol_sample
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.data.split import stratified_sample
from rarecall.trainables.models.bases import BaseModel, resolve_base
from rarecall.trainables.models.classifier import load_classifier, load_processor
from rarecall.trainables.models.frozen.frozen_prefix import FrozenPrefix
from rarecall.trainables.training.optimisation import frozen_precision, own_device
from rarecall.trainables.training.request import TrialRequest
from rarecall.trainables.training.session import TrainingSession
from rarecall.trainables.training.worker import Worker

ROOT = Path(__file__).parents[1]
SETS = ("davidson_hate", "clinc_out_of_scope", "emobank", "goemotions")
TRAINING_ROWS, POOL_ROWS, KEPT_LAYERS = 2000, 3000, 2
FIRST_SEED = 1
COMMON: Mapping[str, Any] = {
    "data.max_train_rows": TRAINING_ROWS,
    "search.rows": None,
    "model.max_length": 32,
    "model.lora": {"targets": "all_linear", "layers": f"last {KEPT_LAYERS}"},
    "training.epochs": 2,
    "training.decision_rule.fit": True,
}
RATE_AND_RANK: Mapping[str, Any] = {
    "space.training.learning_rate": {"low": 5e-4, "high": 8e-3, "log": True},
    "space.model.lora.rank": {"choices": [8, 16, 32]},
}
# Mitigations by set: one task is not offered what another is.
CLASSES: Mapping[str, Any] = {
    "space.auto": False,
    "space.training.oversampling.ratio": {"low": 0.0, "high": 0.5},
    "space.training.weighted_sampling.strength": {"low": 0.0, "high": 0.8},
    "space.training.class_weights.scheme": {"choices": ["none", "balanced", "effective_number"]},
    "space.training.class_weights.strength": None,
    "space.training.loss.name": {"choices": ["focal", "logit_adjusted", "ldam"]},
    "space.training.loss.gamma": {"low": 0.0, "high": 3.0},
}
SPACES: Mapping[str, Mapping[str, Any]] = {
    "davidson_hate": {**CLASSES, "data.split": {"validation": 0.15, "test": 0.1, "seed": 42}},
    "clinc_out_of_scope": {**CLASSES, "training.class_weights.cap": 20, "objective": "f1[out_of_scope]"},
    "emobank": {},
    "goemotions": {},
}


class Trainer:
    """One set, ready to train one configuration after another; without states of the frozen layers only to be read."""

    def __init__(self, name: str, states: bool = True) -> None:
        path = ROOT / "experiments" / f"{name}.yaml"
        self.loaded = load_experiment(path, {**COMMON, **RATE_AND_RANK, **SPACES[name]})
        self.base = resolve_base(self.loaded.experiment.model.base, self.loaded.folder)
        data = prepare(self.loaded.experiment, load_processor(self.base), base=self.loaded.folder)
        pool = stratified_sample(data.validation.classes, POOL_ROWS, seed=0)
        data = replace(data, validation=data.validation.take(pool))
        self.data = with_states(self.loaded, data, self.base) if states else data
        self.goal = goal_of(self.loaded.experiment, data.task.label_space)
        self.run_trial = TrainingSession(self.base, self.goal)(self.data, Worker())

    def configurations(self, count: int) -> list[dict[str, Any]]:
        """A scrambled Sobol sample of the space."""
        experiment = self.loaded.experiment
        space = {key: entry.distribution() for key, entry in experiment.full_space().items()}
        return sobol_sample(space, experiment.conditions(), count)

    def train(self, number: int, params: Mapping[str, Any], folder: Path) -> dict[str, Any]:
        """All epochs of a configuration; predictions go to files, the rest into a row."""
        config = self.loaded.trial_tree({**params, "training.seed": FIRST_SEED + number})
        epochs = []
        for result in self.run_trial(TrialRequest(f"c{number:04d}", dict(params), config), None):
            if result.predictions is None:
                break
            labels = self.data.task.label_space
            write_predictions(folder / f"{number:04d}-{result.epoch}.parquet", result.predictions, labels)
            epochs.append({"metrics": result.metrics, "rule": list(result.rule), "seconds": round(result.seconds, 2)})
        return {"configuration": number, "params": dict(params), "epochs": epochs}


def with_states(loaded: LoadedExperiment, data: PreparedData, base: BaseModel) -> PreparedData:
    """The data with the hidden states that training starts from."""
    prefix = FrozenPrefix(load_classifier(base, data.task.output_names, data.pad_id), KEPT_LAYERS)
    dtype = frozen_precision(loaded.experiment.training.precision, own_device())
    train, validation = (
        prefix.with_states(part, data.pad_id, "fp32", dtype=dtype) for part in (data.train, data.validation)
    )
    return replace(data, train=train, validation=validation)


def known(path: Path) -> set[int]:
    """Configurations that were trained already."""
    lines = path.read_text().splitlines() if path.is_file() else []
    return {json.loads(line)["configuration"] for line in lines if line.endswith("}")}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sets", nargs="*", default=SETS)
    parser.add_argument("--configurations", type=int, default=100)
    parser.add_argument("--output", type=Path, default=ROOT / "runs" / "curves")
    given = parser.parse_args()
    transformers.logging.set_verbosity_error()
    trainers = {name: Trainer(name) for name in given.sets}
    listed = {name: trainer.configurations(given.configurations) for name, trainer in trainers.items()}
    # All sets grow together, so that whatever time there was, they can be compared.
    for number in range(given.configurations):
        for name, trainer in trainers.items():
            folder = given.output / name
            folder.mkdir(parents=True, exist_ok=True)
            if number not in known(folder / "curves.jsonl"):
                row = trainer.train(number, listed[name][number], folder)
                with (folder / "curves.jsonl").open("a") as file:
                    file.write(json.dumps(row, default=np.ndarray.tolist) + "\n")
                print(name, number, sum(epoch["seconds"] for epoch in row["epochs"]), flush=True)


if __name__ == "__main__":
    main()
