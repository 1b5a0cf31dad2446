"""A few real training steps and a validation pass of an experiment's own settings, to know what a search would cost."""

import tempfile
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from rich.console import Console

from rarecall.analysis.settings import EPOCHS, RATIO, SAMPLING_STRENGTH
from rarecall.search.engine.preparation.frozen_states import GIGABYTE, keeps_states, obstacle, with_frozen_states
from rarecall.search.experiment.overrides import with_values
from rarecall.search.experiment.schema import Experiment
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.encoding import EncodedSplit
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.data.prepared import LabelledSplits, PreparedData
from rarecall.trainables.data.prompts import encode_for, fitted
from rarecall.trainables.data.split import stratified_sample
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import (
    ClassifierPool,
    ParameterCounts,
    count_parameters,
    load_processor,
    open_pool,
)
from rarecall.trainables.models.frozen.frozen_prefix import entry_width, state_bytes
from rarecall.trainables.tasks import writes_answers
from rarecall.trainables.training.forward import predict_outputs
from rarecall.trainables.training.learning import PREDICTION_BATCH_FACTOR, open_forward
from rarecall.trainables.training.loop import build_model, train
from rarecall.trainables.training.optimisation import own_device, resolve_precision
from rarecall.trainables.training.worker import Worker

# Rows that are encoded to learn how many tokens there are, batches that are trained, and seconds for all of them.
SAMPLED_ROWS, TRAINED_BATCHES, SECONDS = 2000, 4, 4.0
SAMPLING = (RATIO, SAMPLING_STRENGTH)


@dataclass(frozen=True)
class Measured:
    """What was measured on a sample. train, validate, freeze: seconds per row. checkpoint: bytes. parameters: of the
    model with the experiment's own settings.
    """

    train: float
    validate: float
    freeze: float
    checkpoint: int
    device: str
    parameters: ParameterCounts


class CostSample:
    """Some rows of the data, encoded, and what they tell about all of them."""

    def __init__(self, experiment: Experiment, data: LabelledSplits, base: BaseModel) -> None:
        self._experiment, self._data, self._base = experiment, data, base
        self._processor = load_processor(base)
        self._task = fitted(data.task, self._processor, experiment.model.max_length)
        # As they come: each row counts as often as it is there.
        self._train = self._encoded(_sample(data.train, SAMPLED_ROWS))
        self._validation = self._encoded(_sample(data.validation, SAMPLED_ROWS))

    def _encoded(self, examples: Examples) -> EncodedSplit:
        return encode_for(self._task, self._processor, examples, self._experiment.model.max_length)

    def sizes(self) -> tuple[int, int]:
        """Bytes of the encoded training and validation split, and of their frozen states where trials keep them."""
        model = self._experiment.model
        encoded = states = 0.0
        width = _entry_width(self._base) if self._keeps_states() else 0
        for split, whole in ((self._train, self._data.train), (self._validation, self._data.validation)):
            encoded += split.nbytes * len(whole) / len(split)
            states += state_bytes(split, width, model.frozen_cache_precision) * len(whole) / len(split)
        return round(encoded), round(states) if states <= model.frozen_cache_gb * GIGABYTE else 0

    def _keeps_states(self) -> bool:
        """Whether the search computes the frozen layers once, if there is room."""
        images, writes = self._train.images is not None, writes_answers(self._task)
        return keeps_states(self._experiment) and not obstacle(self._experiment, images=images, writes=writes)

    def measured(self, states: int, cpus: float) -> Measured:
        """Seconds per row of training and validation, of computing the frozen states, and a checkpoint's bytes.

        cpus: of the worker that would train.
        """
        before = torch.get_num_threads()
        worker = Worker(device=own_device())
        worker.use_cpus(cpus)
        try:
            data, freeze = self._data_with_states(states)
            pool = open_pool(self._base, data.task, data.pad_id)
            per_row, checkpoint = _training(self._config(), data, pool, worker)
            model = build_model(self._experiment.model, pool, seed=0)
            validate = _validating(model, self._config(), data, pool, worker)
        finally:
            torch.set_num_threads(before)
        return Measured(per_row, validate, freeze, checkpoint, worker.device.type, count_parameters(model))

    def _config(self) -> TrialConfig:
        """The experiment's own settings, every row once and for as many epochs as there is time."""
        settings = {**dict.fromkeys(SAMPLING, 0.0), EPOCHS: 20, "training.schedule": "constant"}
        tree = self._experiment.model_dump(mode="json", include=set(TrialConfig.model_fields))
        return TrialConfig.model_validate(with_values(tree, settings))

    def _data_with_states(self, states: int) -> tuple[PreparedData, float]:
        """A few batches as trials get them, and seconds per row to compute their frozen states."""
        rows = TRAINED_BATCHES * self._experiment.training.batch_size * self._experiment.training.accumulation
        data = PreparedData(
            task=self._task,
            train=self._encoded(_stratified(self._data.train, rows)),
            validation=self._encoded(_stratified(self._data.validation, 2 * rows)),
            test=None,
            pad_id=0 if self._train.images is not None else int(self._processor.pad_token_id),
            data_hash="",
            class_counts={},
            notes=(),
            skipped=(),
        )
        if not states:
            return data, 0.0
        started = time.perf_counter()
        frozen = with_frozen_states(data, self._experiment, self._base, Console(quiet=True))
        if frozen.train.states is None:
            return data, 0.0
        return frozen, (time.perf_counter() - started) / (len(data.train) + len(data.validation))


def _sample(examples: Examples, limit: int) -> Examples:
    chosen = np.random.default_rng(0).permutation(len(examples))[:limit]
    return examples.take(np.sort(chosen))


def _stratified(examples: Examples, limit: int) -> Examples:
    """So many rows, at least one of each class."""
    limit = max(limit, len(np.unique(examples.classes)))
    return examples.take(stratified_sample(examples.classes, limit, seed=0))


def _training(config: TrialConfig, data: PreparedData, pool: ClassifierPool, worker: Worker) -> tuple[float, int]:
    """Seconds per row, of the fastest epoch after the first one that the time allows, and a checkpoint's bytes."""
    # Validation is measured on its own; one row of it is the least the loop takes.
    lean = replace(data, validation=_head(data.validation))
    started, seconds, checkpoint = time.perf_counter(), [], 0
    for result in train(config, lean, pool, worker):
        seconds.append(result.seconds)
        if not checkpoint:
            checkpoint = _checkpoint_bytes(result)
        if result.diverged or (time.perf_counter() - started > SECONDS):
            break
    return min(seconds[1:] or seconds) / len(data.train), checkpoint


def _head(split: EncodedSplit) -> EncodedSplit:
    """The first row of a split."""
    return split.take(np.zeros(1, dtype=np.int64))


def _checkpoint_bytes(result: Any) -> int:
    with tempfile.TemporaryDirectory() as folder:
        result.save(Path(folder))
        return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def _validating(model: Any, config: TrialConfig, data: PreparedData, pool: ClassifierPool, worker: Worker) -> float:
    """Seconds per row of a validation pass, of the second one."""
    model.to(worker.device)
    dtype = resolve_precision(config.training.precision, worker.device)
    forward = open_forward(model, pool, config, data, worker, dtype)
    size = PREDICTION_BATCH_FACTOR * config.training.batch_size
    seconds = []
    for _ in range(2):
        started = time.perf_counter()
        predict_outputs(forward, data.validation, size, worker)
        seconds.append(time.perf_counter() - started)
    return min(seconds) / len(data.validation)


def _entry_width(base: BaseModel) -> int:
    from transformers import AutoConfig  # noqa: PLC0415  # only where frozen states are kept

    return entry_width(AutoConfig.from_pretrained(base.source))
