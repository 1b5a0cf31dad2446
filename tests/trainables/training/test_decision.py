import numpy as np
import pytest
from pydantic import TypeAdapter
from sklearn.metrics import f1_score

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.tasks import build_task
from rarecall.trainables.tasks.config import TaskConfig
from rarecall.trainables.tasks.multilabel import f1_thresholds
from rarecall.trainables.training.decision_rule import decide, fit

TIERS = {"kind": "tiered_scores", "dimensions": {"score": {}}, "tiers": {"low": 0, "mid": 4, "high": 8}}
PAIR = {"kind": "multiclass", "classes": ["common", "rare"], "minority": ["rare"]}
GOAL = Goal.of(("recall[common] >= 0.8",))


def task_of(config):
    return build_task(TypeAdapter(TaskConfig).validate_python(config), ())


def truth_of(classes, scores=None, labels=None):
    return Examples(np.arange(len(classes)), ("",) * len(classes), np.asarray(classes), scores, labels=labels)


def shifted(rows, seed=0):
    """A model that is right about the order but never sure of the rare class: its logit stays below."""
    generator = np.random.default_rng(seed)
    classes = (np.arange(rows) % 10 == 0).astype(np.int64)
    rare = generator.normal(-3.0 + 2.0 * classes, 0.3)
    return np.column_stack([np.zeros(rows), rare]), truth_of(classes)


def test_an_offset_brings_back_the_class_that_never_won():
    task, (outputs, truth) = task_of(PAIR), shifted(200)
    assert evaluate(task.predictions(outputs, truth), task.label_space)["recall[rare]"] == 0
    decided, predictions = decide(task, outputs, truth, GOAL, folds=5, seed=0)
    # The two clouds lie at -3 and -1, so the offset that parts them best is near 2.
    assert decided.rule[0] == 0
    assert 1.5 <= decided.rule[1] <= 2.5
    metrics = evaluate(predictions, task.label_space)
    assert metrics["recall[rare]"] >= 0.9
    assert metrics["recall[common]"] >= 0.95
    assert predictions.rows.tolist() == list(range(200))
    assert (predictions.true_class == truth.classes).all()


def test_no_row_is_decided_by_a_rule_that_has_seen_it():
    generator = np.random.default_rng(1)
    task = task_of(PAIR)
    truth = truth_of((np.arange(60) % 3 == 0).astype(np.int64))
    goal = Goal((), "macro_f1")
    seen, unseen = [], []
    for _ in range(8):
        outputs = generator.normal(size=(60, 2))
        decided, pooled = decide(task, outputs, truth, goal, folds=5, seed=0)
        seen.append(evaluate(decided.predictions(outputs, truth), task.label_space)["macro_f1"])
        unseen.append(evaluate(pooled, task.label_space)["macro_f1"])
    # From noise nothing can be learned: what the rule seems to gain on its own rows is gone on others.
    assert np.mean(seen) > np.mean(unseen) + 0.03


def test_cuts_of_predicted_scores_move_while_the_true_tiers_stay():
    task = task_of(TIERS).with_minority(("mid", "high"))
    true = np.repeat([2.0, 5.0, 9.0], (60, 20, 10))[:, None]
    truth = truth_of(task.tiers(true), scores=true)
    # Predictions shrunk towards the mean, as regression on rare high scores does.
    outputs = (0.3 * true + 1.5 + np.random.default_rng(0).normal(0, 0.1, true.shape)) / 10
    goal = Goal.of(("recall[low] >= 0.8",))
    plain = evaluate(task.predictions(outputs, truth), task.label_space)
    fitted = fit(task, outputs, truth, goal)
    found = fitted.predictions(outputs, truth)
    assert plain["minority_recall"] == 0
    assert evaluate(found, task.label_space)["minority_recall"] >= 0.95
    assert found.true_class.tolist() == truth.classes.tolist()
    assert fitted.decision_rule()["cuts"] == [0.0, *fitted.rule]
    # 0.3 · 2 + 1.5 = 2.1, 0.3 · 5 + 1.5 = 3.0, 0.3 · 9 + 1.5 = 4.2: the cuts lie between.
    assert 2.1 < fitted.rule[0] <= 3.3
    assert 3.0 < fitted.rule[1] <= 4.5


def test_thresholds_give_each_label_its_best_f1():
    generator = np.random.default_rng(2)
    truth = generator.random((300, 3)) < np.array([0.3, 0.1, 0.05])
    probabilities = np.clip(0.3 * truth + generator.random((300, 3)) * 0.5, 0, 1)
    for label, threshold in enumerate(f1_thresholds(probabilities, truth)):
        every = [f1_score(truth[:, label], probabilities[:, label] > cut) for cut in np.linspace(0, 1, 401)]
        chosen = f1_score(truth[:, label], probabilities[:, label] > threshold)
        assert chosen >= max(every) - 1e-12


def test_a_label_of_hardly_a_row_keeps_one_half():
    assert f1_thresholds(np.array([[0.3], [0.2], [0.1]]), np.array([[True], [False], [False]])) == (0.5,)


@pytest.mark.parametrize("rare", [0, 1])
def test_too_few_rare_rows_leave_the_rule_as_it_is(rare):
    task, (outputs, truth) = task_of(PAIR), shifted(20)
    few = truth_of([1] * rare + [0] * (20 - rare))
    decided, predictions = decide(task, outputs, few, GOAL, folds=5, seed=0)
    if rare == 1:
        assert decided == task
    assert predictions.rows.tolist() == truth.rows.tolist()
