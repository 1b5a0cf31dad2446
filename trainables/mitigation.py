"""What oversampling and class weights amount to for the data at hand: the counts and weights one trial trains with."""

from dataclasses import dataclass

import numpy as np

from analysis.predictions import FloatArray, IntArray, LabelSpace
from trainables.config import TrainingConfig
from trainables.sampling import oversample
from trainables.weights import class_weights


@dataclass(frozen=True)
class Mitigation:
    """Per class, in class order: rows in the training split, rows per epoch after oversampling, and the row weight."""

    rows: IntArray
    sampled: IntArray
    weights: FloatArray

    def table(self, classes: tuple[str, ...]) -> dict[str, dict[str, float]]:
        """The same as plain numbers by class name, for the ledger and the screen."""
        return {
            name: {"rows": int(rows), "sampled": int(sampled), "weight": round(float(weight), 4)}
            for name, rows, sampled, weight in zip(classes, self.rows, self.sampled, self.weights, strict=True)
        }


def epoch_rows(classes: IntArray, labels: LabelSpace, training: TrainingConfig, epoch: int) -> IntArray:
    """Indices into the training split that make up one epoch: [m], rare classes repeated as configured."""
    minority = [labels.classes.index(name) for name in labels.minority]
    return oversample(classes, minority, training.oversampling.ratio, training.seed, epoch)


def mitigation(classes: IntArray, labels: LabelSpace, training: TrainingConfig) -> Mitigation:
    """Counts and weights for the training split's `classes` [n]; weights follow the counts after oversampling."""
    size = len(labels.classes)
    sampled = np.bincount(classes[epoch_rows(classes, labels, training, epoch=1)], minlength=size)
    weights = class_weights(sampled, training.class_weights.strength, training.class_weights.cap)
    return Mitigation(np.bincount(classes, minlength=size), sampled, weights)
