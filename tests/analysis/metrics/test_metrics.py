from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk

from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.metrics.registry import Metric, find, register, registered
from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.analysis.predictions.predictions import Predictions

SCORED = LabelSpace(("low", "mid", "high"), ("mid", "high"), ("a", "b"), CatastrophicRule(4.0, 8.0), ordered=True)


def classes_only(true: list[int], predicted: list[int]) -> Predictions:
    return Predictions(np.arange(len(true)), np.array(true, dtype=np.int64), np.array(predicted, dtype=np.int64))


def scored(true: list[int], predicted: list[int], seed: int) -> Predictions:
    generator = np.random.default_rng(seed)
    true_scores, predicted_scores = generator.uniform(0, 10, (2, len(true), 2))
    return Predictions(
        rows=np.arange(len(true)),
        true_class=np.array(true, dtype=np.int64),
        predicted_class=np.array(predicted, dtype=np.int64),
        true_scores=true_scores,
        predicted_scores=predicted_scores,
        true_overall=true_scores.mean(axis=1),
        predicted_overall=predicted_scores.mean(axis=1),
    )


def labelled_rows(classes: int) -> st.SearchStrategy[list[tuple[int, int]]]:
    index = st.integers(0, classes - 1)
    return st.lists(st.tuples(index, index), min_size=1, max_size=40)


@given(st.integers(2, 6).flatmap(lambda k: st.tuples(st.just(k), labelled_rows(k))))
def test_equals_scikit_learn_on_classes(case: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = case
    true, predicted = map(list, zip(*pairs, strict=True))
    names = tuple("abcdef"[:count])
    result = evaluate(classes_only(true, predicted), LabelSpace(names, names[1:]))

    every = range(count)
    precision, recall, f1, support = sk.precision_recall_fscore_support(true, predicted, labels=every, zero_division=0)
    have_rows = support > 0
    for index, name in enumerate(names):
        assert result[f"support[{name}]"] == support[index]
        assert result[f"precision[{name}]"] == pytest.approx(precision[index])
        assert result[f"recall[{name}]"] == pytest.approx(recall[index] if have_rows[index] else np.nan, nan_ok=True)
        assert result[f"f1[{name}]"] == pytest.approx(f1[index] if have_rows[index] else np.nan, nan_ok=True)
    assert result["macro_f1"] == pytest.approx(f1[have_rows].mean())
    assert result["weighted_f1"] == pytest.approx(
        sk.f1_score(true, predicted, labels=every, average="weighted", zero_division=0)
    )
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(true, predicted))
    rare = have_rows & (np.arange(count) > 0)
    for key, values in (("recall", recall), ("precision", precision), ("f1", f1)):
        assert result[f"minority_{key}"] == pytest.approx(values[rare].mean() if rare.any() else np.nan, nan_ok=True)
    labels = LabelSpace(names, names[1:])
    assert confusion_matrix(classes_only(true, predicted), labels) == (
        sk.confusion_matrix(true, predicted, labels=every).tolist()
    )


@given(labelled_rows(3), st.integers(0, 2**32 - 1))
def test_equals_scikit_learn_on_scores(pairs: list[tuple[int, int]], seed: int) -> None:
    predictions = scored(*map(list, zip(*pairs, strict=True)), seed)
    result = evaluate(predictions, SCORED)
    mae = sk.mean_absolute_error(predictions.true_scores, predictions.predicted_scores, multioutput="raw_values")
    rmse = sk.root_mean_squared_error(predictions.true_scores, predictions.predicted_scores, multioutput="raw_values")
    assert [result["mae[a]"], result["mae[b]"]] == pytest.approx(mae.tolist())
    assert result["mae"] == pytest.approx(mae.mean())
    assert [result["rmse[a]"], result["rmse[b]"]] == pytest.approx(rmse.tolist())
    assert result["rmse"] == pytest.approx(rmse.mean())


def test_by_hand() -> None:
    # true    low low low low | mid mid | high
    # predict low low low mid | mid low | mid
    labels = LabelSpace(("low", "mid", "high"), ("mid", "high"))
    result = evaluate(classes_only([0, 0, 0, 0, 1, 1, 2], [0, 0, 0, 1, 1, 0, 1]), labels)
    assert result["recall[low]"] == 3 / 4
    assert result["recall[mid]"] == 1 / 2
    assert result["recall[high]"] == 0
    assert result["precision[mid]"] == pytest.approx(1 / 3)
    assert result["precision[high]"] == 0  # never predicted
    assert result["f1[mid]"] == pytest.approx(2 * (1 / 3) * (1 / 2) / (1 / 3 + 1 / 2))
    assert result["minority_recall"] == (1 / 2 + 0) / 2
    assert result["accuracy"] == pytest.approx(4 / 7)


def test_catastrophic_failures_are_strictly_beyond_both_cuts() -> None:
    predictions = Predictions(
        rows=np.arange(5),
        true_class=np.zeros(5, dtype=np.int64),
        predicted_class=np.zeros(5, dtype=np.int64),
        true_scores=np.zeros((5, 2)),
        predicted_scores=np.zeros((5, 2)),
        true_overall=np.array([3.9, 4.0, 3.9, 0.0, 9.0]),
        predicted_overall=np.array([8.1, 8.1, 8.0, 10.0, 9.0]),
    )
    assert evaluate(predictions, SCORED)["catastrophic_failures"] == 2  # the first and the fourth


def test_the_spread_of_scores_is_that_of_the_predicted_over_that_of_the_true() -> None:
    classes = np.zeros(4, dtype=np.int64)
    true, predicted = np.array([2.0, 4.0, 6.0, 8.0]), np.array([5.0, 5.0, 5.0, 7.0])
    scores = (np.column_stack([true, true]), np.column_stack([predicted, predicted]))
    predictions = Predictions(np.arange(4), classes, classes, None, *scores, true, predicted)
    # Variances: (9 + 1 + 1 + 9) / 4 = 5 around 5, and (3 · 0.25 + 2.25) / 4 = 0.75 around 5.5.
    assert evaluate(predictions, SCORED)["score_spread"] == pytest.approx((0.75 / 5) ** 0.5)
    same = replace(predictions, true_overall=np.full(4, 0.1))
    assert np.isnan(evaluate(same, SCORED)["score_spread"])


def test_the_seven_billion_filter_majority_guess(
    tiers: LabelSpace, tiered_predictions: Callable[..., Predictions]
) -> None:
    truth = tiered_predictions(0.0, 0)
    guess = Predictions(truth.rows, truth.true_class, np.zeros_like(truth.true_class))
    result = evaluate(guess, LabelSpace(tiers.classes, tiers.minority))
    assert result["accuracy"] == pytest.approx(169 / 209)  # 80.9 %, and nobody is found:
    assert result["minority_recall"] == 0


def test_a_class_without_rows_is_left_out_of_the_means() -> None:
    labels = LabelSpace(("a", "b", "c"), ("b", "c"))
    result = evaluate(classes_only([0, 0, 1], [0, 2, 1]), labels)
    assert np.isnan(result["recall[c]"])
    assert np.isnan(result["f1[c]"])
    assert result["precision[c]"] == 0
    assert result["minority_recall"] == 1.0
    assert result["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)  # f1[a]: precision 1, recall 1/2


def test_keys_follow_the_label_space(tiers: LabelSpace) -> None:
    plain = evaluate(classes_only([0, 1], [0, 1]), LabelSpace(("a", "b"), ("b",)))
    assert not any(key.startswith(("mae", "rmse", "catastrophic")) for key in plain)
    keys = [key for metric in registered() if metric.applies(tiers) for key in metric.keys(tiers)]
    assert {"recall[pilot]", "mae[evidence]", "mae", "rmse[evidence]", "rmse", "catastrophic_failures"} <= set(keys)
    assert "recall" not in keys


@pytest.mark.parametrize(
    ("true", "predicted", "message"), [([0, 3], [0, 0], "true class"), ([0, 0], [-1, 0], "predicted class")]
)
def test_refuses_a_class_outside_the_label_space(true: list[int], predicted: list[int], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(classes_only(true, predicted), LabelSpace(("a", "b", "c"), ("c",)))


def test_refuses_scores_that_are_missing_or_not_finite() -> None:
    with pytest.raises(ValueError, match="needs true and predicted scores"):
        evaluate(classes_only([0], [0]), SCORED)
    diverged = scored([0, 1], [0, 1], 0)
    assert diverged.predicted_scores is not None
    diverged.predicted_scores[1, 0] = np.nan
    with pytest.raises(ValueError, match="training diverged"):
        evaluate(diverged, SCORED)
    without_overall = Predictions(*[np.zeros(1, dtype=np.int64)] * 3, None, np.zeros((1, 2)), np.zeros((1, 2)))
    with pytest.raises(ValueError, match="needs true and predicted overall scores"):
        evaluate(without_overall, SCORED)


def test_registration_refuses_duplicates() -> None:
    with pytest.raises(ValueError, match="registered once, got 'recall' again"):
        register("recall", "max", "share", selector="class")(lambda tally: 0.0)
    assert find("no_such_metric") is None


def several(
    true: list[list[int]], predicted: list[list[int]], probabilities: list[list[float]] | None = None
) -> Predictions:
    return Predictions(
        np.arange(len(true)),
        probabilities=None if probabilities is None else np.array(probabilities),
        true_labels=np.array(true, dtype=np.bool_).reshape(len(true), 3),
        predicted_labels=np.array(predicted, dtype=np.bool_).reshape(len(predicted), 3),
    )


TOPICS = LabelSpace(
    ("insult", "offence", "threat"),
    ("insult", "threat"),
    multilabel=True,
    groups=(("primary", ("offence", "threat")), ("secondary", ("insult",))),
    implications=(("insult", "offence"),),
    exclusions=(("insult", "threat"),),
)


@given(st.lists(st.lists(st.integers(0, 1), min_size=6, max_size=6), min_size=1, max_size=30))
def test_equals_scikit_learn_on_labels(rows: list[list[int]]) -> None:
    true, predicted = np.array(rows)[:, :3], np.array(rows)[:, 3:]
    predictions = several(true.tolist(), predicted.tolist())
    result = evaluate(predictions, TOPICS)
    precision, recall, f1, support = sk.precision_recall_fscore_support(true, predicted, zero_division=0)
    have_rows = support > 0
    for index, name in enumerate(TOPICS.classes):
        assert result[f"precision[{name}]"] == pytest.approx(precision[index])
        assert result[f"recall[{name}]"] == pytest.approx(recall[index] if have_rows[index] else np.nan, nan_ok=True)
    assert result["macro_f1"] == pytest.approx(f1[have_rows].mean() if have_rows.any() else np.nan, nan_ok=True)
    assert result["accuracy"] == pytest.approx(sk.accuracy_score(true, predicted))
    decided = true.sum() + predicted.sum()
    micro = sk.f1_score(true, predicted, average="micro", zero_division=0) if decided else np.nan
    assert result["micro_f1"] == pytest.approx(micro, nan_ok=True)
    part = sk.f1_score(true[:, 1:], predicted[:, 1:], average="micro", zero_division=0)
    if true[:, 1:].sum() + predicted[:, 1:].sum():
        assert result["micro_f1[primary]"] == pytest.approx(part)
    assert confusion_matrix(predictions, TOPICS) == sk.multilabel_confusion_matrix(true, predicted).tolist()


@given(st.integers(2, 5).flatmap(lambda k: st.tuples(st.just(k), labelled_rows(k))))
def test_agreement_equals_scikit_learn(case: tuple[int, list[tuple[int, int]]]) -> None:
    count, pairs = case
    true, predicted = map(list, zip(*pairs, strict=True))
    names = tuple("abcde"[:count])
    result = evaluate(classes_only(true, predicted), LabelSpace(names, names[1:], ordered=True))
    if len({*true, *predicted}) > 1:
        assert result["matthews_correlation"] == pytest.approx(sk.matthews_corrcoef(true, predicted))
        kappa = sk.cohen_kappa_score(true, predicted, labels=range(count), weights="quadratic")
        assert result["quadratic_weighted_kappa"] == pytest.approx(kappa)
    assert result["grade_distance"] == pytest.approx(sk.mean_absolute_error(true, predicted))


def test_areas_equal_scikit_learn_and_the_bare_name_is_their_mean() -> None:
    generator = np.random.default_rng(0)
    true = generator.integers(0, 3, 60)
    probabilities = generator.dirichlet(np.ones(3), 60)
    labels = LabelSpace(("a", "b", "c", "never"), ("b",))
    padded = np.pad(probabilities, ((0, 0), (0, 1)))
    result = evaluate(Predictions(np.arange(60), true, probabilities.argmax(1), padded), labels)
    roc = [sk.roc_auc_score(true == index, probabilities[:, index]) for index in range(3)]
    precision = [sk.average_precision_score(true == index, probabilities[:, index]) for index in range(3)]
    assert [result[f"roc_auc[{name}]"] for name in "abc"] == pytest.approx(roc)
    assert result["roc_auc"] == pytest.approx(np.mean(roc))
    assert result["pr_auc"] == pytest.approx(np.mean(precision))
    assert np.isnan(result["roc_auc[never]"])


def test_constraint_violations_count_rows_not_rules() -> None:
    # insult without offence; insult with threat (and without offence: still one row); offence alone is fine
    predictions = several([[0, 0, 0]] * 3, [[1, 0, 0], [1, 0, 1], [0, 1, 0]])
    assert evaluate(predictions, TOPICS)["constraint_violations"] == 2


def test_unparsable_answers_are_counted_where_answers_are_written() -> None:
    labels = replace(SCORED, written=True)
    # An empty answer cannot be read either.
    answers = np.array([None, "", None, '{"x": "seven"}'], dtype=np.object_)
    predictions = replace(scored([0, 1, 2, 0], [0, 1, 2, 0], 4), unreadable=answers)
    assert evaluate(predictions, labels)["unparsable_answers"] == 2
    assert evaluate(predictions.take(np.array([0, 1, 1])), labels)["unparsable_answers"] == 2
    assert "unparsable_answers" not in evaluate(predictions, SCORED)


def test_slices_repeat_every_metric_for_their_rows() -> None:
    labels = LabelSpace(("other", "toxic"), ("toxic",))
    script = np.array(["kana", "kana", "kanji", "kanji"], dtype=object)
    whole = replace(classes_only([1, 1, 1, 0], [1, 0, 1, 0]), slices={"script": script})
    result = evaluate(whole, labels)
    assert result["recall[toxic]"] == pytest.approx(2 / 3)
    assert result["recall[toxic]@script=kana"] == 1 / 2
    assert result["recall[toxic]@script=kanji"] == 1
    assert result["accuracy@script=kanji"] == 1


def test_named_metrics_alone() -> None:
    assert evaluate(classes_only([0, 1], [0, 1]), LabelSpace(("a", "b"), ("b",)), ["accuracy"]) == {"accuracy": 1.0}


def any_task(metric: Metric, true: list[int], predicted: list[int], seed: int) -> tuple[LabelSpace, Predictions]:
    """Predictions of a task that has the metric: scores and tiers, else classes, else several labels."""
    if metric.applies(SCORED):
        return SCORED, scored(true, predicted, seed)
    one_hot = np.eye(3, dtype=np.bool_)
    if metric.applies(TOPICS) and metric.needs == "constraints":
        return TOPICS, several(one_hot[true].tolist(), one_hot[predicted].tolist())
    if metric.needs == "written":
        wrong = np.where(np.array(true) == predicted, None, "no JSON")
        return replace(SCORED, written=True), replace(scored(true, predicted, seed), unreadable=wrong)
    sure = np.eye(3)[np.array(predicted, dtype=np.int64)]
    return LabelSpace(SCORED.classes, SCORED.minority, ordered=True), replace(
        classes_only(true, predicted), probabilities=0.7 * sure + 0.1
    )


@pytest.mark.parametrize("metric", registered(), ids=lambda metric: metric.name)
class TestEveryRegisteredMetric:
    """What holds for any metric, whoever adds it."""

    def values(self, metric: Metric, task: tuple[LabelSpace, Predictions]) -> list[float]:
        labels, predictions = task
        result = evaluate(predictions, labels)
        return [result[key] for key in metric.keys(labels)]

    def test_is_documented_and_found_by_its_name(self, metric: Metric) -> None:
        assert metric.compute.__doc__
        assert find(metric.name) is metric

    def test_gives_a_plain_number_per_key_within_its_scale(self, metric: Metric) -> None:
        values = self.values(metric, any_task(metric, [0, 1, 2, 0], [0, 2, 2, 1], 1))
        assert values
        assert all(type(value) is float for value in values)
        lowest = -1 if metric.name in {"matthews_correlation", "quadratic_weighted_kappa"} else 0
        assert all(lowest <= value <= (1 if metric.scale == "share" else np.inf) for value in values)

    def test_perfect_predictions_give_its_best_value(self, metric: Metric) -> None:
        labels, drawn = any_task(metric, [0, 1, 2, 0], [0, 1, 2, 0], 2)
        perfect = replace(drawn, predicted_scores=drawn.true_scores, predicted_overall=drawn.true_overall)
        if metric.name == "constraint_violations":
            # A truth that breaks a rule is not made better by predicting it.
            perfect = several([[1, 1, 0]], [[1, 1, 0]])
        best = {("max", "share"): {1.0}, ("min", "amount"): {0.0}, ("max", "amount"): {1.0, 2.0}}  # support: rows
        assert set(self.values(metric, (labels, perfect))) <= best[metric.direction, metric.scale]

    def test_does_not_depend_on_the_order_of_rows(self, metric: Metric) -> None:
        labels, drawn = any_task(metric, [0, 1, 2, 0, 1], [0, 2, 2, 1, 1], 3)
        shuffled = drawn.take(np.array([3, 1, 4, 0, 2]))
        assert self.values(metric, (labels, shuffled)) == pytest.approx(self.values(metric, (labels, drawn)))

    def test_no_rows_give_nan_or_zero_without_a_warning(self, metric: Metric) -> None:
        values = self.values(metric, any_task(metric, [], [], 0))
        assert all(np.isnan(value) or value == 0 for value in values)
