"""One configuration of an experiment trained in this process, and what it is worth on the test split."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from rich.console import Console

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.search.engine.preparation.frozen_states import with_frozen_states
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.data.prompts import encode_for
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor, open_pool
from rarecall.trainables.training.loop import train
from rarecall.trainables.training.worker import Worker

EXPERIMENTS = Path(__file__).parents[1] / "experiments"


def test_metrics(name: str, overrides: Mapping[str, Any]) -> dict[str, float]:
    """All metrics of the last epoch on the test split."""
    loaded = load_experiment(EXPERIMENTS / f"{name}.yaml", overrides)
    data = _measured_on_test(name, tuple((k, v) for k, v in overrides.items() if not k.startswith("training.")))
    pool = open_pool(resolve_base(loaded.experiment.model.base, loaded.folder), data.task, data.pad_id)
    *_, last = train(TrialConfig.model_validate(loaded.trial_tree({})), data, pool, Worker())
    assert last.predictions is not None
    return evaluate(last.predictions, data.task.label_space)


@cache
def _measured_on_test(name: str, overrides: tuple[tuple[str, Any], ...]) -> PreparedData:
    """The experiment's data with the test split in the place of validation, for one look after the last epoch.

    overrides: those beside the settings of training, which share the data and what the frozen layers make of them.
    """
    loaded = load_experiment(EXPERIMENTS / f"{name}.yaml", dict(overrides))
    base = resolve_base(loaded.experiment.model.base, loaded.folder)
    processor = load_processor(base)
    data = prepare(loaded.experiment, processor, base=loaded.folder)
    assert data.test is not None
    test = encode_for(data.task, processor, data.test, loaded.experiment.model.max_length)
    return with_frozen_states(replace(data, validation=test), loaded.experiment, base, Console(stderr=True))
