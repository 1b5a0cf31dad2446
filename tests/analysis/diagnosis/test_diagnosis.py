"""Each rule on a ledger made by hand: what it fires on, the figures it tells, the settings it changes."""

import math

import numpy as np
import pytest

from rarecall.analysis.criteria.ranking import best_epoch, score
from rarecall.analysis.diagnosis import Case, Change, applied, diagnose
from rarecall.analysis.diagnosis.rules import Observed, registered, rule
from rarecall.analysis.diagnosis.text import change_text, render
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.predictions.parquet_file import write_predictions
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ledger import LEDGER_NAME, read_ledger
from tests.analysis.diagnosis.cases import (
    CLASSES,
    EMOTIONS,
    GOOD,
    SCORES,
    SETTINGS,
    UNMITIGATED,
    changes,
    evidence,
    metrics_of,
    warnings,
)


@pytest.fixture
def make_case(write_ledger, rows, tmp_path):
    """A case of one trial: `epochs` are (train loss, validation loss, confusion)."""

    def make(epochs, settings=(), labels=CLASSES, criteria=(), header=(), end=("completed", ""), **trial):
        written = [rows.run(labels, criteria, **dict(header)), rows.trial("t1") | trial]
        for number, (train_loss, validation_loss, confusion) in enumerate(epochs, start=1):
            metrics, counts = metrics_of(confusion, labels)
            told = {"train_loss": train_loss, "validation_loss": validation_loss, "confusion": counts}
            written.append(rows.epoch("t1", number, metrics, score=score(metrics, []), **told))
        written.append(rows.end("t1", *end))
        (tmp_path / LEDGER_NAME).unlink(missing_ok=True)  # of an earlier case of the same test
        run = read_ledger(write_ledger(*written))
        record = run.trials["t1"]
        best = best_epoch(record.epochs, run.criteria, run.objective) if record.epochs else None
        return Case(run, record, best, SETTINGS | dict(settings))

    return make


HEALTHY = [(1.0, 1.0, GOOD), (0.80, 0.80, GOOD), (0.78, 0.79, GOOD)]


def test_a_sound_trial_has_no_sign(make_case):
    case = make_case(HEALTHY)
    assert diagnose(case) == ()
    assert "No warning applies." in render(case, (), 80)


def test_weights_above_ten_come_first_and_are_capped(make_case):
    bad = [[40, 30, 30], [0, 10, 10], [0, 0, 10]]  # of 40 predicted rare, 10 are; of 50 predicted rarest, 10
    amounts = {
        "common": {"rows": 60, "sampled": 60, "weight": 1.0},
        "rare": {"rows": 10, "sampled": 15, "weight": 5.0},
        "rarest": {"rows": 3, "sampled": 3, "weight": 100.0},
    }
    weights = {"training.class_weights.values": {"rare": 5.0, "rarest": 100.0}, "training.class_weights.cap": 200.0}
    case = make_case([(1.0, 1.0, bad), (0.9, 0.9, bad)], weights, mitigation=amounts)
    assert diagnose(case)[0].rule == "weights_too_large"
    assert changes(case, "weights_too_large") == {
        # 60 / 15 would even out `rare`, and 60 / 3 is above 10.
        "training.class_weights.values": {"rare": 4.0, "rarest": 10.0},
        "training.class_weights.cap": 10.0,
    }
    told = evidence(case, "weights_too_large")
    assert "weight of rarest: 100" in told
    assert "precision of rarest: 20.0 %" in told


def test_weights_up_to_ten_are_no_sign(make_case):
    amounts = {"rarest": {"rows": 1, "sampled": 1, "weight": 10.0}}
    assert "weights_too_large" not in warnings(make_case(HEALTHY, mitigation=amounts))


def test_a_diverged_trial_gets_a_tenth_of_its_learning_rate(make_case):
    case = make_case([], end=("failed", "the loss is no longer finite"))
    assert changes(case, "learning_rate_too_high") == {"training.learning_rate": 2e-5}
    assert "no longer finite" in evidence(case, "learning_rate_too_high")


def test_another_failure_says_nothing_about_the_learning_rate(make_case):
    assert "learning_rate_too_high" not in warnings(make_case([], end=("failed", "the worker group ended")))


def test_a_loss_that_jumps_is_unstable(make_case):
    case = make_case([(0.5, 0.6, GOOD), (2.3, 2.5, GOOD), (0.4, 0.5, GOOD)])
    assert "rose from 0.5 to 2.3 in epoch 2" in evidence(case, "learning_rate_too_high")


def test_nothing_learnt_at_an_unusual_rate_is_the_rate(make_case):
    all_common = [[100, 0, 0], [20, 0, 0], [10, 0, 0]]
    flat = [(0.90, 0.9, all_common), (0.89, 0.9, all_common)]
    case = make_case(flat, {"training.learning_rate": 0.3})
    assert diagnose(case)[0].rule == "learning_rate_too_high"
    # A tenth, 0.03, is still beyond what adapters take.
    assert changes(case, "learning_rate_too_high") == {"training.learning_rate": 0.005}
    assert "learning_rate_too_high" not in warnings(make_case(flat))


def test_worse_than_blind_at_an_unusual_rate_is_the_rate(make_case):
    nearly_all_rare = [[2, 98, 0], [1, 19, 0], [0, 9, 1]]
    case = make_case([(14.0, 1.5, nearly_all_rare), (3.0, 1.4, nearly_all_rare)], {"training.learning_rate": 0.3})
    told = evidence(case, "learning_rate_too_high")
    # 100 of 130 rows: 2 · 100 / 230 = 0.870 for the largest class, a third of it in the mean over three.
    assert "the largest class for every row gives 29.0 %" in told
    assert "learning rate 0.3, usually at most 0.005" in told
    assert "learning_rate_too_high" not in warnings(make_case([(1.0, 1.0, GOOD)], {"training.learning_rate": 0.3}))


def test_low_recall_without_any_remedy_is_for_want_of_one(make_case):
    missed = [[98, 1, 1], [16, 4, 0], [9, 1, 0]]
    header = {"class_counts": {"train": {"common": 900, "rare": 90, "rarest": 9}}}
    case = make_case([(1.0, 1.0, missed), (0.9, 0.9, missed)], UNMITIGATED, header=header)
    assert diagnose(case)[0].rule == "no_mitigation"
    assert changes(case, "no_mitigation") == {
        "training.oversampling.ratio": 0.2,
        "training.class_weights.strength": 0.5,
    }
    told = evidence(case, "no_mitigation")
    assert "recall of rarest: 0.0 %, 0 of 10 rows" in told
    assert "recall of rare: 20.0 %, 4 of 20 rows" in told
    assert "100 training rows of common for each of rarest" in told
    assert "rare_recall_low" not in warnings(case)  # the same once more
    assert "no_mitigation" not in warnings(make_case([(1.0, 1.0, missed)], {**UNMITIGATED, "training.loss.gamma": 1.0}))


def test_a_rising_validation_loss_is_overfitting(make_case):
    case = make_case([(0.9, 0.95, GOOD), (0.6, 0.80, GOOD), (0.2, 1.10, GOOD)], {"model.lora.dropout": 0.0})
    assert changes(case, "overfits") == {
        "training.weight_decay": 0.05,
        "model.lora.rank": 8,
        "model.lora.dropout": 0.1,
        "training.early_stopping": 2,
    }
    told = evidence(case, "overfits")
    assert "from 0.8 in epoch 2 to 1.1" in told
    assert "fell from 0.6" in told


def test_a_rise_below_a_tenth_is_not(make_case):
    assert "overfits" not in warnings(make_case([(0.9, 0.95, GOOD), (0.6, 0.80, GOOD), (0.55, 0.87, GOOD)]))


def test_a_training_loss_far_below_counts_only_where_rows_weigh_alike(make_case):
    far = [(0.9, 0.95, GOOD), (0.3, 0.80, GOOD)]
    assert "overfits" in warnings(make_case(far, UNMITIGATED))
    assert "overfits" not in warnings(make_case(far))


def test_old_ledgers_show_overfitting_by_their_metrics(make_case):
    worse = [[90, 6, 4], [13, 5, 2], [6, 2, 2]]
    case = make_case([(0.9, None, GOOD), (0.3, None, worse), (0.2, None, worse)])
    assert case.best.epoch == 1
    assert "macro F1 fell from" in evidence(case, "overfits")


def test_losses_that_still_fall_want_more_epochs(make_case):
    falling = [(1.0, 1.0, [[100, 0, 0], [15, 5, 0], [5, 1, 4]]), (0.6, 0.7, GOOD)]
    case = make_case(falling, criteria=("recall[rare] >= 0.8",))
    assert changes(case, "underfits") == {
        "training.epochs": 5,
        "training.learning_rate": 3e-4,
        "model.lora.rank": 32,
    }
    assert "training loss still fell in epoch 2, 1 to 0.6" in evidence(case, "underfits")
    assert "underfits" not in warnings(make_case(falling, criteria=("recall[rare] >= 0.5",)))  # met: nothing to mend
    stopped = make_case(falling, criteria=("recall[rare] >= 0.8",), end=("stopped", "not among the best"))
    assert "underfits" not in warnings(stopped)


def test_one_class_only(make_case):
    all_common = [[100, 0, 0], [20, 0, 0], [10, 0, 0]]
    header = {"class_counts": {"train": {"common": 40, "rare": 8, "rarest": 2}}}
    case = make_case([(1.0, 1.0, all_common)], {"data.max_train_rows": 50}, header=header)
    assert "every validation row is predicted common" in evidence(case, "one_class_only")
    assert "50 training rows" in evidence(case, "one_class_only")
    assert changes(case, "one_class_only") == {
        "training.oversampling.ratio": 0.3,
        "training.class_weights.strength": 0.75,
        "training.learning_rate": 1e-4,
        "training.epochs": 5,
        "data.max_train_rows": None,
    }
    assert "rare_recall_low" not in warnings(case)  # the same once more


def test_one_epoch_is_not_enough_for_more_than_one_class(make_case):
    case = make_case([(1.0, 1.0, [[100, 0, 0], [20, 0, 0], [10, 0, 0]])], {**UNMITIGATED, "training.epochs": 1})
    assert [warning.rule for warning in diagnose(case)] == ["no_mitigation", "one_class_only"]
    assert changes(case, "one_class_only")["training.epochs"] == 5


def test_a_rare_class_alone_means_remedies_that_are_too_strong(make_case):
    all_rare = [[0, 100, 0], [0, 20, 0], [0, 10, 0]]
    case = make_case([(1.0, 1.0, all_rare)])
    assert changes(case, "one_class_only") == {
        "training.class_weights.strength": 0.35,
        "training.oversampling.ratio": 0.1,
        "training.learning_rate": 1e-4,
        "training.epochs": 5,
    }


def test_low_recall_with_remedies_follows_the_technology_filter(make_case):
    missed = [[97, 2, 1], [17, 3, 0], [4, 1, 5]]
    case = make_case([(1.0, 1.0, missed)])
    assert changes(case, "rare_recall_low") == {
        "training.oversampling.ratio": 0.3,
        "training.class_weights.strength": 0.75,
        "training.learning_rate": 1e-4,
        "training.epochs": 5,
    }
    assert evidence(case, "rare_recall_low") == "recall of rare: 15.0 %, 3 of 20 rows"
    (advice,) = warnings(case)["rare_recall_low"].observed.advice
    assert advice.endswith("label more rows of rare")


def test_precision_below_one_half_lowers_gamma_and_weights(make_case):
    over = [[60, 40, 0], [2, 18, 0], [0, 0, 10]]  # 58 predicted rare, 18 of them right: 31.0 %
    case = make_case([(1.0, 1.0, over)])
    assert evidence(case, "rare_over_predicted") == "precision of rare: 31.0 %, predicted 58 times for 20 rows"
    assert changes(case, "rare_over_predicted") == {
        "training.loss.gamma": 1.5,
        "training.class_weights.strength": 0.35,
    }
    named = make_case([(1.0, 1.0, over)], {"training.class_weights.values": {"rare": 10.0}})
    assert changes(named, "rare_over_predicted")["training.class_weights.values"] == {"rare": 7.0}


def test_a_precision_below_one_half_of_hardly_any_row_is_not_over_predicted(make_case):
    few = [[80, 20, 0], [10, 10, 0], [0, 0, 10]]  # 30 predicted for 20 rows, as many as are allowed
    assert "rare_over_predicted" not in warnings(make_case([(1.0, 1.0, few)]))


def score_case(write_ledger, rows, tmp_path, predicted):
    """True overall scores 1, 1, 1, 9 and 9; both dimensions predicted alike."""
    true = np.array([1.0, 1.0, 1.0, 9.0, 9.0])
    predicted = np.array(predicted)
    predictions = Predictions(
        rows=np.arange(5),
        true_class=(true >= 5).astype(np.int64),
        predicted_class=(predicted >= 5).astype(np.int64),
        true_scores=np.column_stack([true, true]),
        predicted_scores=np.column_stack([predicted, predicted]),
        true_overall=true,
        predicted_overall=predicted,
    )
    write_predictions(tmp_path / "p.parquet", predictions, SCORES)
    told = {"confusion": confusion_matrix(predictions, SCORES), "predictions": "p.parquet", "validation_loss": None}
    epoch = rows.epoch("t1", 1, evaluate(predictions, SCORES), **told)
    run = read_ledger(write_ledger(rows.run(SCORES, ()), rows.trial("t1"), epoch, rows.end("t1")))
    return Case(run, run.trials["t1"], run.trials["t1"].epochs[0], SETTINGS)


def test_catastrophic_failures_halve_the_learning_rate(write_ledger, rows, tmp_path):
    case = score_case(write_ledger, rows, tmp_path, [1.0, 1.0, 8.5, 9.0, 9.0])
    assert evidence(case, "catastrophic_failures") == "1 rows below 4 predicted above 8"
    assert changes(case, "catastrophic_failures") == {"training.learning_rate": 1e-4}


def test_scores_far_off_ask_for_the_labels(write_ledger, rows, tmp_path):
    case = score_case(write_ledger, rows, tmp_path, [3.5, 3.5, 3.5, 6.0, 6.0])  # (3 · 2.5 + 2 · 3) / 5 = 2.7
    assert "MAE of one: 2.70, more than 2" in evidence(case, "scores_far_off")
    assert changes(case, "scores_far_off") == {}


def test_a_collapsed_range_is_told_with_both_ranges(write_ledger, rows, tmp_path):
    case = score_case(write_ledger, rows, tmp_path, [4.0, 4.0, 4.0, 4.5, 4.5])
    told = evidence(case, "range_collapsed")
    assert "predicted from 4.0 to 4.5, true from 1.0 to 9.0" in told
    # Three and two of five: a spread of √(.6 · .4) = 0.49 of the distance, 0.24 of 0.5 and 3.92 of 8.
    assert "spread 0.24 of 3.92" in told
    assert changes(case, "range_collapsed")["training.class_weights.scheme"] == "label_density"
    assert "range_collapsed" not in warnings(score_case(write_ledger, rows, tmp_path, [2.0, 2.0, 2.0, 8.0, 8.0]))


def test_three_rare_rows_are_too_few_to_know(make_case):
    case = make_case([(1.0, 1.0, [[94, 6, 0], [8, 10, 2], [0, 1, 2]])])
    # Clopper-Pearson, 2 of 3 at 90 %: 13.5 % to 98.3 %.
    assert evidence(case, "too_few_rare_rows") == "rarest: 3 validation rows; recall 66.7 %, true value in 14–98 %"
    assert changes(case, "too_few_rare_rows") == {"data.split.validation": 0.2}
    assert applied(diagnose(case)) == {}  # other rows, so no comparison


def test_labels_that_nobody_predicts(write_ledger, rows):
    truth = np.array([[True, False]] * 8 + [[True, True]] * 12)
    predictions = Predictions(
        np.arange(20), true_labels=truth, predicted_labels=np.zeros((20, 2), bool), probabilities=np.full((20, 2), 0.1)
    )
    told = {"confusion": confusion_matrix(predictions, EMOTIONS), "validation_loss": None}
    epoch = rows.epoch("t1", 1, evaluate(predictions, EMOTIONS), **told)
    run = read_ledger(write_ledger(rows.run(EMOTIONS, ()), rows.trial("t1"), epoch, rows.end("t1")))
    case = Case(run, run.trials["t1"], run.trials["t1"].epochs[0], SETTINGS)
    assert "no label is predicted for any row" in evidence(case, "one_class_only")
    assert changes(case, "one_class_only")["training.loss.gamma"] == 3.0


def test_the_first_of_two_changes_decides(make_case):
    falling = [(1.0, 1.0, [[100, 0, 0], [20, 0, 0], [10, 0, 0]]), (0.6, 0.7, [[97, 2, 1], [17, 3, 0], [9, 1, 0]])]
    case = make_case(falling, criteria=("recall[rare] >= 0.8",), settings={"training.epochs": 2})
    found = diagnose(case)
    assert [warning.rule for warning in found] == ["underfits", "rare_recall_low"]
    assert applied(found)["training.learning_rate"].after == 3e-4
    text = render(case, found, 80)
    assert max(map(len, text.splitlines())) <= 80
    assert "training.epochs: 2 -> 4" in text


def test_nothing_is_changed_that_the_experiment_does_not_have(make_case):
    missed = [[97, 2, 1], [17, 3, 0], [4, 1, 5]]
    case = make_case([(1.0, 1.0, missed)])
    without = Case(case.run, case.record, case.best, {})
    assert all(not warning.observed.changes for warning in diagnose(without))


def test_a_rule_is_registered_once():
    name = registered()[0].name
    with pytest.raises(ValueError, match=f"registered once, got '{name}'"):
        rule(name, "again", "nobody")(lambda case: Observed(()))


def test_every_rule_names_a_cause_and_a_source():
    for one in registered():
        assert all((one.says, one.source, one.check.__doc__))


def test_values_read_as_the_file_has_them():
    assert change_text(Change("a.b", None, {"low": 0.1, "log": True})) == "a.b: none -> {low: 0.1, log: true}"
    assert change_text(Change("a", math.pi, 8)) == "a: 3.14 -> 8"


def test_a_ledger_keeps_what_the_remedies_of_a_trial_amounted_to(make_case):
    amounts = {"rare": {"rows": 4, "sampled": 40, "weight": 3.0, "capped": True}}
    assert make_case(HEALTHY, mitigation=amounts).record.mitigation == amounts
    assert make_case(HEALTHY).record.mitigation == {}


def test_what_may_follow_from_overfitting_waits(make_case):
    missed = [[97, 2, 1], [17, 3, 0], [4, 1, 5]]
    case = make_case([(0.9, 0.95, missed), (0.6, 0.80, missed), (0.2, 1.10, missed)])
    assert [warning.rule for warning in diagnose(case)] == ["overfits", "rare_recall_low"]
    assert changes(case, "rare_recall_low") == {}
    assert "recall of rare: 15.0 %, 3 of 20 rows" in evidence(case, "rare_recall_low")
    assert "look again once that is mended" in evidence(case, "rare_recall_low")
