"""One configuration of an experiment trained in this process, and what it is worth on the test split."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from analysis.metrics import evaluate
from search.experiment import load_experiment
from trainables.bases import BaseModel, resolve_base
from trainables.config import ModelConfig, TrialConfig
from trainables.encode import encode
from trainables.frozen_prefix import FrozenPrefix, kept_layers
from trainables.loop import train
from trainables.models import ClassifierPool, load_classifier, load_processor
from trainables.prepare import PreparedData, prepare
from trainables.worker import Worker

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def test_metrics(name: str, overrides: Mapping[str, Any]) -> dict[str, float]:
    """All metrics of the last epoch on the test split. Data and base model are those of the experiment."""
    loaded = load_experiment(EXPERIMENTS / f"{name}.yaml", overrides)
    model = loaded.experiment.model
    base = resolve_base(model.base, loaded.folder)
    task = tuple((key, value) for key, value in overrides.items() if key.startswith("task."))
    data = _measured_on_test(name, base, task, kept_layers(model.adapter, model.lora.layers))
    pool = ClassifierPool(base, data.task.output_names, data.pad_id)
    *_, last = train(TrialConfig.model_validate(loaded.trial_tree({})), data, pool, Worker())
    assert last.predictions is not None
    return evaluate(last.predictions, data.task.label_space)


@cache
def _measured_on_test(name: str, base: BaseModel, task: tuple[tuple[str, Any], ...], kept: int | None) -> PreparedData:
    """The experiment's data with the test split in the place of validation, for one look after the last epoch.

    kept: layers that are trained, None for all; what the others give is computed here.
    """
    loaded = load_experiment(EXPERIMENTS / f"{name}.yaml", dict(task))
    model: ModelConfig = loaded.experiment.model
    processor = load_processor(base)
    data = prepare(loaded.experiment, processor, base=loaded.folder)
    assert data.test is not None
    data = replace(data, validation=encode(processor, data.test, model.max_length))
    if kept is None:
        return data
    prefix = FrozenPrefix(load_classifier(base, data.task.output_names, data.pad_id), kept)
    train_split, test_split = (prefix.with_states(split, data.pad_id) for split in (data.train, data.validation))
    return replace(data, train=train_split, validation=test_split)
