"""The training loop: a generator that trains one epoch per `next()` and knows no Ray."""

import math
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from rarecall import losses
from rarecall.analysis.arrays import IntArray
from rarecall.analysis.criteria.goal import Goal
from rarecall.trainables.config import ModelConfig, TrialConfig
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.classifier import ClassifierPool, checkpoint_activations
from rarecall.trainables.models.quantization import compute_in
from rarecall.trainables.models.sharding import shard_frozen
from rarecall.trainables.training.batches import plan_epoch, share
from rarecall.trainables.training.epoch import EpochOutputs, EpochResult, Pass, result_of
from rarecall.trainables.training.learning import open_forward, open_learning
from rarecall.trainables.training.mitigation import epoch_bounds, epoch_rows, mitigation
from rarecall.trainables.training.optimisation import adamw, resolve_precision, schedule, trainable
from rarecall.trainables.training.worker import Worker


@dataclass(frozen=True)
class Start:
    """Where a trial goes on: after `epoch`, from the checkpoint in `folder`."""

    epoch: int
    folder: Path


def train(
    config: TrialConfig,
    data: PreparedData,
    pool: ClassifierPool,
    worker: Worker,
    start: Start | None = None,
    goal: Goal | None = None,
) -> Iterator[EpochResult]:
    """Train one configuration; yields after every epoch and ends with the last one, or with the one that diverged.

    data: read-only arrays, shared between trials. pool: the process's base model. start: None for a new trial.
    goal: what a decision rule is chosen for.
    Rows, batches and dropout depend on seed and epoch alone, so a trial that goes on gives what it would have given.
    """
    trial = Trial(config, data, pool, worker)
    if start is not None:
        trial.restore(start.folder)
    for epoch in range(start.epoch + 1 if start else 1, config.training.epochs + 1):
        result = result_of(trial.run_epoch(epoch), data.task, config.training, goal or Goal())
        yield result
        if result.diverged:
            return


def build_model(config: ModelConfig, pool: ClassifierPool, seed: int) -> Any:
    """A newly initialised model as the configuration wants it."""
    if config.adapter == "none":
        return pool.whole(seed)
    if config.adapter == "head":
        return pool.head_alone(seed)
    lora = config.lora
    return pool.with_lora(
        lora.rank, lora.alpha, lora.dropout, lora.targets, lora.layers, seed, quantization=config.quantization
    )


class Trial:
    """The state of one trial in one process: model, optimiser, and the data as the loss wants them."""

    def __init__(self, config: TrialConfig, data: PreparedData, pool: ClassifierPool, worker: Worker) -> None:
        training = config.training
        self.config, self.data, self.worker = config, data, worker
        self.labels = data.task.label_space
        self.dtype = resolve_precision(training.precision, worker.device)
        self.scaler = torch.amp.GradScaler(worker.device.type, enabled=self.dtype == torch.float16)

        amounts = mitigation(data.train.classes, self.labels, training, data.train.scores, data.train.labels)
        self.row_weights = torch.from_numpy(amounts.row_weights).float()
        pairs = (self.labels.index(self.labels.implications), self.labels.index(self.labels.exclusions))
        loss = losses.build(training.loss.name, data.task.target, training.loss.parameters, amounts.facts(*pairs))

        self.model = build_model(config.model, pool, training.seed)
        if training.sharding == "frozen" and worker.size > 1:
            # Before the model goes to its device, which need not hold it whole.
            shard_frozen(self.model, worker)
        self.model.to(worker.device)
        compute_in(self.model, self.dtype)
        if training.gradient_checkpointing:
            checkpoint_activations(self.model)
        forward = open_forward(self.model, pool, config, data, worker, self.dtype)
        self.sharded = forward.sharded
        self.learning = open_learning(forward, loss, amounts, config, data, worker)
        self.parameters = [parameter for _, parameter in trainable(self.model)]
        self.optimizer = adamw(self.model, training.learning_rate, training.weight_decay, training.optimizer)
        lengths = np.diff(epoch_bounds(training, len(data.train), amounts.epoch_length)).tolist()
        steps = sum(math.ceil(math.ceil(length / training.batch_size) / training.accumulation) for length in lengths)
        self.scheduler = schedule(self.optimizer, training.schedule, training.warmup, steps)

    def run_epoch(self, epoch: int) -> EpochOutputs:
        """Train one epoch, counted from 1, and predict the validation split."""
        started = time.perf_counter()
        if self.worker.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.worker.device)
        train_loss, train = self._train_epoch(epoch)
        found = self.learning.validation() if math.isfinite(train_loss) else None
        validation = self.data.validation
        return EpochOutputs(
            epoch=epoch,
            train=train,
            validation=None if found is None else Pass(found[0], validation, np.arange(len(validation))),
            train_loss=train_loss,
            validation_loss=math.nan if found is None else found[1],
            seconds=time.perf_counter() - started,
            peak_memory_mb=self._peak_memory_mb(),
            save=self.save,
            rows_seen=self._rows_seen(epoch),
        )

    def _rows_seen(self, epoch: int) -> int:
        rows = len(self.data.train)
        return min(rows, sum(count or rows for count in self.config.training.rows_by_epoch()[:epoch]))

    def _train_epoch(self, epoch: int) -> tuple[float, Pass]:
        """Weighted mean loss over the epoch's rows, and the outputs that they were trained on."""
        training = self.config.training
        # Each rank draws its own dropout masks, and a resumed epoch the same ones as before.
        torch.manual_seed(hash((training.seed, epoch, self.worker.rank)))
        rows = epoch_rows(self.data.train.classes, self.labels, training, epoch)
        batches = plan_epoch(rows, self.data.train.lengths, training.batch_size, training.seed, epoch)
        total_loss = torch.zeros((), device=self.worker.device)
        with self.learning.training():
            for begin in range(0, len(batches), training.accumulation):
                total_loss += self._step(begin, batches[begin : begin + training.accumulation])
        train_loss = self.worker.total(float(total_loss)) / float(self.row_weights[rows].sum())
        return train_loss, self.learning.train_pass(rows)

    def _step(self, first: int, batches: list[IntArray]) -> Tensor:
        """One optimiser step over batches numbered from `first`; returns this worker's weighted sum of row losses.

        Dividing by the weight of the step's rows over all workers makes the step the same for any number of them.
        """
        step_weight = float(sum(self.row_weights[batch].sum() for batch in batches))
        summed = torch.zeros((), device=self.worker.device)
        for number, batch in enumerate(batches, start=first):
            rows = share(batch, self.worker.rank, self.worker.size)
            if len(rows):
                weighted = self._weighted_loss(number, rows)
                self.scaler.scale(weighted / step_weight).backward()
                summed += weighted.detach()
            elif self.sharded:
                # The others need this worker's part of the weights, in both directions.
                (0.0 * self._weighted_loss(number, batch[:1])).backward()
        self.worker.sum_gradients(self.parameters)
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.parameters, self.config.training.clip_norm)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.scheduler.step()
        self.optimizer.zero_grad(set_to_none=True)
        return summed

    def _weighted_loss(self, number: int, rows: IntArray) -> Tensor:
        row_losses = self.learning.row_losses(number, rows)
        return (row_losses * self.row_weights[rows].to(self.worker.device)).sum()

    def save(self, folder: Path) -> None:
        """Write the checkpoint."""
        quantization = self.config.model.quantization
        precision = str(self.dtype).removeprefix("torch.") if quantization == "none" else quantization
        checkpoint.save(folder, self.model, self.optimizer, self.scheduler, self.scaler, precision)

    def restore(self, folder: Path) -> None:
        """Go back to where `save` was called.

        Raises:
            FileNotFoundError: the folder is not a checkpoint.
        """
        checkpoint.restore(folder, self.model, self.optimizer, self.scheduler, self.scaler)

    def _peak_memory_mb(self) -> float:
        if self.worker.device.type != "cuda":
            return 0.0
        return torch.cuda.max_memory_allocated(self.worker.device) / 2**20
