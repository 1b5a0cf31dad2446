"""The mitigations that a screen tries: a sample of the part of the search space that heads can have."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from optuna.distributions import BaseDistribution

from rarecall.search.experiment.schema import LoadedExperiment
from rarecall.search.experiment.unit_cube import sobol_sample
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.imbalance import sampling
from rarecall.trainables.screen.screening import Candidate
from rarecall.trainables.screen.stacked import HeadSettings

# `C` of scikit-learn, of which each head has one: how far its weights are held down.
STRENGTHS = (3e-3, 3e-1)
# Parameters of the loss, class weights and decision rule; sections of samplers are mitigations too.
MITIGATIONS = ("training.class_weights.", "training.loss.", "training.decision_rule.")


def is_mitigation(key: str) -> bool:
    """Whether a dotted key is a mitigation: what a head can have as a fine-tuned model has it."""
    return key.startswith((*MITIGATIONS, *(f"training.{name}." for name in sampling.names())))


def mitigation_space(loaded: LoadedExperiment) -> dict[str, BaseDistribution]:
    """The part of the experiment's space that heads on frozen features can try."""
    space = loaded.experiment.full_space()
    return {key: entry.distribution() for key, entry in space.items() if is_mitigation(key)}


def candidates(loaded: LoadedExperiment, rows: int) -> list[Candidate]:
    """The mitigations to try: a Sobol sample of the space, each with a strength of its own. rows: that train."""
    space = mitigation_space(loaded)
    if not space:
        return []
    count, conditions = loaded.experiment.search.screen, loaded.experiment.conditions()
    drawn = sobol_sample(space, conditions, count, loaded.experiment.search.seed)
    generator = np.random.default_rng(loaded.experiment.search.seed)
    low, high = map(math.log, STRENGTHS)
    strengths = np.exp(generator.uniform(low, high, len(drawn)))
    return [
        Candidate(params, HeadSettings(_training(loaded, params), float(1 / (strength * rows))))
        for params, strength in zip(drawn, strengths, strict=True)
    ]


def _training(loaded: LoadedExperiment, params: Mapping[str, Any]) -> TrainingConfig:
    return TrainingConfig.model_validate(loaded.trial_tree(params)["training"])
