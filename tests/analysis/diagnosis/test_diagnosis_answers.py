"""The warning of a model that writes its scores, and not always scores."""

import numpy as np

from rarecall.analysis.diagnosis import Case, diagnose
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import read_ledger

LABELS = LabelSpace(("low", "high"), ("high",), ("one",), ordered=True, written=True)
SETTINGS = {"training.epochs": 3, "training.learning_rate": 2e-4}


def case_of(write_ledger, rows, unreadable, settings=SETTINGS):
    """Five rows whose answers are right, but for those that cannot be read, which stand at the far end."""
    true = np.array([1.0, 1.0, 1.0, 9.0, 9.0])
    read = np.array([answer is None for answer in unreadable])
    predicted = np.where(read, true, 10.0 - true)
    predictions = Predictions(
        rows=np.arange(5),
        true_class=(true >= 5).astype(np.int64),
        predicted_class=(predicted >= 5).astype(np.int64),
        true_scores=true[:, None],
        predicted_scores=predicted[:, None],
        true_overall=true,
        predicted_overall=predicted,
        unreadable=np.array(unreadable, dtype=object),
    )
    told = {"confusion": confusion_matrix(predictions, LABELS), "validation_loss": None}
    epoch = rows.epoch("t1", 1, evaluate(predictions, LABELS), **told)
    run = read_ledger(write_ledger(rows.run(LABELS, ()), rows.trial("t1"), epoch, rows.end("t1")))
    return Case(run, run.trials["t1"], run.trials["t1"].epochs[0], settings)


def warning_of(case):
    return {warning.rule: warning for warning in diagnose(case)}.get("answers_unreadable")


def test_answers_that_cannot_be_read_are_counted_and_more_epochs_asked_for(write_ledger, rows):
    warning = warning_of(case_of(write_ledger, rows, ["{", None, None, None, "none of these"]))
    (evidence,) = warning.observed.evidence
    assert evidence == "2 of 5 answers on validation rows are not the JSON that was asked for"
    assert {change.key: change.after for change in warning.observed.changes} == {"training.epochs": 6}
    assert warning.figure == "unparsable_answers"


def test_after_many_epochs_only_a_look_at_them_helps(write_ledger, rows):
    settings = {**SETTINGS, "training.epochs": 6}
    observed = warning_of(case_of(write_ledger, rows, ["{", None, None, None, None], settings)).observed
    assert observed.changes == ()
    assert "unreadable" in observed.advice[0]


def test_where_all_can_be_read_nothing_is_said(write_ledger, rows):
    assert warning_of(case_of(write_ledger, rows, [None] * 5)) is None
