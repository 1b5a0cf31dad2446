"""The two ways in which a trial's model learns: as a classifier of rows, or as a writer of answers about them."""

import math
from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from rarecall import losses
from rarecall.analysis.arrays import FloatArray, IntArray
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepared import PreparedData
from rarecall.trainables.models.classifier import ClassifierPool, WriterPool, set_head_bias
from rarecall.trainables.models.generator import Writer
from rarecall.trainables.tasks import InstructedScores
from rarecall.trainables.tasks.protocol import Outputs
from rarecall.trainables.training.augmentation import Augmentation
from rarecall.trainables.training.batches import share
from rarecall.trainables.training.epoch import Pass, last_passes
from rarecall.trainables.training.forward import Forward, predict_outputs
from rarecall.trainables.training.mitigation import Mitigation
from rarecall.trainables.training.worker import Worker

# Without gradients a batch needs far less memory, and larger ones are faster.
PREDICTION_BATCH_FACTOR = 4


class Learning(Protocol):
    """What the loop asks of either way."""

    def training(self) -> AbstractContextManager[None]:
        """Training mode."""

    def row_losses(self, number: int, rows: IntArray) -> Tensor:
        """Losses [b] of the training rows [b] of batch `number`, with gradients."""

    def train_pass(self, rows: IntArray) -> Pass:
        """What the batches of the epoch that drew `rows` said of each of them; forgotten here."""

    def validation(self) -> tuple[Outputs, float] | None:
        """Outputs for the validation rows, and the mean of their losses; None when they are no longer finite."""


def open_forward(
    model: Any, pool: ClassifierPool, config: TrialConfig, data: PreparedData, worker: Worker, dtype: torch.dtype
) -> Forward | Writer:
    """The model of a pool as it is run."""
    if isinstance(pool, WriterPool) and isinstance(data.task, InstructedScores):
        return Writer(model, pool.tokenizer, data.task.given_frame.answer_tokens, worker, dtype)
    return Forward(model, config.model, data.pad_id, worker, dtype)


def open_learning(
    forward: Forward | Writer,
    loss: losses.Loss,
    amounts: Mitigation,
    config: TrialConfig,
    data: PreparedData,
    worker: Worker,
) -> Learning:
    """The way that fits how the model is run."""
    if isinstance(forward, Writer):
        return Writing(forward, loss, config, data, worker)
    return Classifying(forward, loss, amounts, config, data, worker)


class Classifying:
    """A head gives numbers for each row; the loss compares them with the task's targets."""

    def __init__(
        self,
        forward: Forward,
        loss: losses.Loss,
        amounts: Mitigation,
        config: TrialConfig,
        data: PreparedData,
        worker: Worker,
    ) -> None:
        self._forward, self._loss, self._config, self._data, self._worker = forward, loss, config, data, worker
        self._targets = torch.from_numpy(np.array(data.task.targets(data.train)))
        self._augmentation = Augmentation(**config.training.augmentation.model_dump())
        self._passes: list[tuple[int, IntArray, Tensor]] = []
        prior = torch.from_numpy(data.task.prior(data.train, amounts.mass, amounts.weights)).float()
        set_head_bias(forward.model, losses.outputs_for(loss, prior).to(worker.device))

    def training(self) -> AbstractContextManager[None]:
        return self._forward.training(self._data.train, self._augmentation)

    def row_losses(self, number: int, rows: IntArray) -> Tensor:
        outputs = self._forward(self._data.train, rows)
        self._passes.append((number, rows, outputs.detach()))
        return self._loss(outputs, self._targets[rows].to(self._worker.device))

    def train_pass(self, rows: IntArray) -> Pass:
        passes, self._passes = self._passes, []
        return last_passes(self._worker, self._data.train, passes, len(self._data.task.output_names))

    def validation(self) -> tuple[Outputs, float] | None:
        size = PREDICTION_BATCH_FACTOR * self._config.training.batch_size
        outputs = np.asarray(predict_outputs(self._forward, self._data.validation, size, self._worker), np.float64)
        return (outputs, self._validation_loss(outputs)) if np.isfinite(outputs).all() else None

    def _validation_loss(self, outputs: FloatArray) -> float:
        """Mean of the row losses, without the weights that the training loss has."""
        targets = torch.from_numpy(np.array(self._data.task.targets(self._data.validation)))
        return float(self._loss(torch.from_numpy(outputs).float(), targets).mean())


class Writing:
    """A language model is shown prompts with their answers, and writes answers of its own to be judged by.

    The training rows are never answered, which would take longer than training: their passes have no outputs.
    """

    def __init__(
        self, writer: Writer, loss: losses.Loss, config: TrialConfig, data: PreparedData, worker: Worker
    ) -> None:
        self._writer, self._loss, self._data, self._worker = writer, loss, data, worker
        self._size = PREDICTION_BATCH_FACTOR * config.training.batch_size
        # Their logits, of the whole vocabulary, take the memory of as many rows as a training batch has.
        self._shown_size = config.training.batch_size

    def training(self) -> AbstractContextManager[None]:
        return self._writer.training()

    def row_losses(self, number: int, rows: IntArray) -> Tensor:
        return self._loss(*self._writer.shown(self._data.train, rows))

    def train_pass(self, rows: IntArray) -> Pass:
        drawn = np.unique(rows)
        return Pass(np.empty((len(drawn), 0)), self._data.train, drawn)

    def validation(self) -> tuple[Outputs, float] | None:
        loss = self._validation_loss()
        if not math.isfinite(loss):
            return None
        return predict_outputs(self._writer, self._data.validation, self._size, self._worker), loss

    def _validation_loss(self) -> float:
        """Mean of the row losses for the answers that are right, without the weights that the training loss has."""
        split = self._data.validation
        with self._writer.predicting(split):
            found = sum(float(self._loss(*self._writer.shown(split, rows)).sum()) for rows in self._shares())
        return self._worker.total(found) / len(split)

    def _shares(self) -> Iterator[IntArray]:
        """This worker's validation rows, those of like length together."""
        order = np.argsort(self._data.validation.lengths, kind="stable")
        for begin in range(0, len(order), self._shown_size):
            rows = share(order[begin : begin + self._shown_size], self._worker.rank, self._worker.size)
            if len(rows):
                yield rows
