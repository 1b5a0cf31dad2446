"""What the tests of the rules have in common: labels, settings, and what a case is told."""

import numpy as np

from rarecall.analysis.diagnosis import diagnose
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

CLASSES = LabelSpace(classes=("common", "rare", "rarest"), minority=("rare", "rarest"))
SCORES = LabelSpace(("low", "high"), ("high",), ("one", "other"), CatastrophicRule(4.0, 8.0), ordered=True)
EMOTIONS = LabelSpace(("joy", "grief"), ("grief",), multilabel=True)
# The technology filter's settings, with all of its mitigations in force.
SETTINGS = {
    "data.path": "articles.jsonl",
    "data.split.validation": 0.1,
    "data.max_train_rows": None,
    "task.range": [0, 10],
    "model.adapter": "lora",
    "model.lora.rank": 16,
    "model.lora.dropout": 0.05,
    "training.epochs": 3,
    "training.learning_rate": 2e-4,
    "training.weight_decay": 0.01,
    "training.early_stopping": None,
    "training.oversampling.ratio": 0.2,
    "training.weighted_sampling.strength": 0.0,
    "training.class_weights.scheme": "power",
    "training.class_weights.strength": 0.5,
    "training.class_weights.cap": 10.0,
    "training.class_weights.values": {},
    "training.loss.name": None,
    "training.loss.gamma": 2.0,
}
UNMITIGATED = {
    "training.oversampling.ratio": 0.0,
    "training.class_weights.strength": 0.0,
    "training.loss.gamma": 0.0,
}
# Rows are the true class; recall 0.9, 0.5 and 0.6, precision above one half.
GOOD = [[90, 6, 4], [8, 10, 2], [2, 2, 6]]


def metrics_of(confusion, labels=CLASSES):
    """Metrics of the predictions that a confusion matrix counts."""
    pairs = [(i, j) for i, row in enumerate(confusion) for j, count in enumerate(row) for _ in range(count)]
    true, predicted = np.array(pairs).T
    probabilities = np.eye(len(labels.classes))[predicted]
    predictions = Predictions(np.arange(len(pairs)), true, predicted, probabilities)
    return evaluate(predictions, labels), confusion_matrix(predictions, labels)


def warnings(case):
    return {warning.rule: warning for warning in diagnose(case)}


def changes(case, name):
    return {change.key: change.after for change in warnings(case)[name].observed.changes}


def evidence(case, name):
    return "\n".join(warnings(case)[name].observed.evidence)
