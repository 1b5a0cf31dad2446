"""Many linear heads over the same frozen features, each with mitigations of its own, trained side by side.

The features are read once for all of them: 64 heads in one product cost little more than ten do one by one.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from rarecall import losses
from rarecall.analysis.arrays import FloatArray
from rarecall.losses import Loss
from rarecall.trainables.baselines.linear import LinearHead
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.data.examples import Labelled
from rarecall.trainables.models.frozen.features import Features
from rarecall.trainables.tasks import Task
from rarecall.trainables.training.mitigation import mitigation

# Heads in one product, rows in a step.
STACKED, BATCH = 64, 2048
STEPS, RATE = 60, 0.01
# What a feature that hardly varies is divided by.
LEAST_SPREAD = 1e-6


@dataclass(frozen=True)
class HeadSettings:
    """What one head is trained with. training: its mitigations; nothing else is read of it. decay: of the squared
    weights, beside the mean loss of a row (1 / (C · rows) of scikit-learn).
    """

    training: TrainingConfig
    decay: float


@dataclass(frozen=True, eq=False)
class Basis:
    """Features standardised and turned to their principal axes, where each can be learnt at its own pace.

    A turn leaves the sum of squared weights what it is. mean, scale: [d]. axes: [d, d].
    """

    mean: Tensor
    scale: Tensor
    axes: Tensor

    @classmethod
    def of(cls, features: Features) -> "Basis":
        """The basis of features [n, d]."""
        values = torch.from_numpy(features)
        mean, scale = values.mean(dim=0), values.std(dim=0).clamp_min(LEAST_SPREAD)
        standard = (values - mean) / scale
        _, axes = torch.linalg.eigh(standard.T @ standard)
        return cls(mean, scale, axes)

    def inputs(self, features: Features) -> Tensor:
        """Features [n, d] in this basis."""
        return (torch.from_numpy(features) - self.mean) / self.scale @ self.axes

    def head(self, weight: Tensor, bias: Tensor) -> LinearHead:
        """A head [k, d], [k] in this basis as one over the features."""
        turned = weight.double() @ self.axes.double().T / self.scale.double()
        return LinearHead(turned.numpy(), (bias.double() - turned @ self.mean.double()).numpy())


@dataclass(frozen=True, eq=False)
class _Part:
    """One head's share of the loss. mass: [n] how much each row counts, 1 in the mean."""

    loss: Loss
    mass: Tensor
    start: Tensor
    decay: float

    @classmethod
    def of(cls, settings: HeadSettings, task: Task, truth: Labelled) -> "_Part":
        training, labels = settings.training, task.label_space
        amounts = mitigation(truth.classes, labels, training, truth.scores, truth.labels)
        pairs = (labels.index(labels.implications), labels.index(labels.exclusions))
        loss = losses.build(training.loss.name, task.target, training.loss.parameters, amounts.facts(*pairs))
        prior = torch.from_numpy(task.prior(truth, amounts.mass, amounts.weights)).float()
        mass = torch.from_numpy(amounts.mass / amounts.mass.mean()).float()
        return cls(loss, mass, losses.outputs_for(loss, prior), settings.decay)


def fit_heads(
    features: Features, task: Task, truth: Labelled, settings: Sequence[HeadSettings], seed: int = 0
) -> list[LinearHead]:
    """A head for each of the settings: the mean loss of the rows, as the mitigations weigh them, and the decay.

    features: [n, d] of the rows in `truth`. Sampling counts by how often it shows a row in the mean.

    Raises:
        ValueError: as `losses.build` and `mitigation`.
    """
    basis = Basis.of(features)
    inputs, targets = basis.inputs(features), torch.from_numpy(np.array(task.targets(truth)))
    found: list[LinearHead] = []
    for begin in range(0, len(settings), STACKED):
        parts = [_Part.of(one, task, truth) for one in settings[begin : begin + STACKED]]
        weights, biases = _train(inputs, targets, parts, seed)
        found += [basis.head(weight, bias) for weight, bias in zip(weights, biases, strict=True)]
    return found


def _train(inputs: Tensor, targets: Tensor, parts: Sequence[_Part], seed: int) -> tuple[Tensor, Tensor]:
    """Weights [heads, outputs, d] and biases [heads, outputs]."""
    heads, outputs = len(parts), len(parts[0].start)
    weight = torch.zeros(heads * outputs, inputs.shape[1], requires_grad=True)
    bias = torch.stack([part.start for part in parts]).reshape(-1).clone().requires_grad_()
    decay = torch.tensor([part.decay for part in parts]).repeat_interleave(outputs)[:, None]
    optimizer = torch.optim.Adam([weight, bias], lr=RATE, betas=(0.9, 0.99))
    generator = torch.Generator().manual_seed(seed)
    for step in range(STEPS):
        optimizer.param_groups[0]["lr"] = RATE * 0.5 * (1 + math.cos(math.pi * step / STEPS))
        rows = torch.randint(len(inputs), (min(BATCH, len(inputs)),), generator=generator)
        found = (inputs[rows] @ weight.T + bias).reshape(len(rows), heads, outputs)
        total = 0.5 * (decay * weight**2).sum()
        for number, part in enumerate(parts):
            total = total + (part.loss(found[:, number], targets[rows]) * part.mass[rows]).mean()
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    return weight.detach().reshape(heads, outputs, -1), bias.detach().reshape(heads, outputs)


def outputs_of(heads: Sequence[LinearHead], features: Features) -> FloatArray:
    """Outputs [heads, m, outputs] of features [m, d]."""
    return np.stack([head.outputs(features) for head in heads])
