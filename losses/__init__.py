"""Losses: tensors in, one loss per row out. Knows torch and nothing else of this project.

A loss is a frozen dataclass with a registration beside it; its fields are its parameters, and calling it with outputs
and targets gives [batch] losses, neither weighted nor averaged. Importing this package registers all of them.
"""

# Imported for their registrations as much as for the names.
from rarecall.losses.classification import FocalCrossEntropy
from rarecall.losses.facts import LabelFacts
from rarecall.losses.imbalance import LogitAdjusted, MarginCrossEntropy
from rarecall.losses.multilabel import FocalBinaryCrossEntropy
from rarecall.losses.ordinal import ConditionalOrdinal, CumulativeLink
from rarecall.losses.registry import Loss, Target, build, check, default, names, outputs_for, parameters, register
from rarecall.losses.regression import FocalSquaredError, Huber
from rarecall.losses.tokens import IGNORED, FocalTokens
from rarecall.losses.two_stage import TwoStage

__all__ = [
    "IGNORED",
    "ConditionalOrdinal",
    "CumulativeLink",
    "FocalBinaryCrossEntropy",
    "FocalCrossEntropy",
    "FocalSquaredError",
    "FocalTokens",
    "Huber",
    "LabelFacts",
    "LogitAdjusted",
    "Loss",
    "MarginCrossEntropy",
    "Target",
    "TwoStage",
    "build",
    "check",
    "default",
    "names",
    "outputs_for",
    "parameters",
    "register",
]
