import math

import numpy as np
import pytest
from scipy.stats import beta, norm

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.metrics.evaluation import confusion_matrix, evaluate
from rarecall.analysis.metrics.registry import registered
from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.uncertainty.margins import constraints, margin

Z = norm.ppf(0.95)


def row(metrics, confusion=None):
    return EpochRow("t", 1, metrics, confusion, 0.0, 0.0, 0.0, None, None, 0.0, 0.0)


def half_width(hits, rows):
    """Clopper and Pearson's interval at 90 %, by scipy's beta distribution."""
    low = beta.ppf(0.05, hits, rows - hits + 1) if hits > 0 else 0.0
    high = beta.ppf(0.95, hits + 1, rows - hits) if hits < rows else 1.0
    return (high - low) / 2


def lacking(text, metrics, confusion=None, minority=()):
    (value,) = constraints([parse(text, minority)], row(metrics, confusion))
    return value


def test_the_same_shortfall_counts_more_where_more_rows_say_so():
    few = lacking("recall[rare] >= 0.4", {"recall[rare]": 0.3, "support[rare]": 20.0})
    many = lacking("recall[rare] >= 0.4", {"recall[rare]": 0.3, "support[rare]": 2000.0})
    assert few == pytest.approx(0.1 / half_width(8, 20))
    assert many == pytest.approx(0.1 / half_width(800, 2000))
    assert few < 1 < many  # within chance, and beyond


@pytest.mark.parametrize(("value", "sign"), [(0.4, 0), (0.41, 0), (0.399, 1), (math.nan, 0)])
def test_the_border_of_the_feasible_stays_at_the_threshold(value, sign):
    assert math.copysign(1, lacking("recall[a] >= 0.4", {"recall[a]": value, "support[a]": 3.0})) == 1
    assert (lacking("recall[a] >= 0.4", {"recall[a]": value, "support[a]": 3.0}) > 0) == bool(sign)


def test_a_strict_comparison_missed_by_equality_stays_infeasible():
    assert lacking("recall[a] > 0.4", {"recall[a]": 0.4, "support[a]": 3.0}) > 0


# Rare: 4 of 10 found, 8 predicted as it, of 100 rows: [[86, 4], [6, 4]].
COUNTED = {
    "recall[common]": 86 / 90,
    "recall[rare]": 0.4,
    "precision[common]": 86 / 92,
    "precision[rare]": 0.5,
    "f1[rare]": 8 / 18,
    "support[common]": 90.0,
    "support[rare]": 10.0,
    "accuracy": 0.9,
    "minority_recall": 0.4,
    "macro_f1": 0.5,
}


@pytest.mark.parametrize(
    ("text", "shortfall", "width"),
    [
        ("recall[rare] >= 0.5", 0.1, half_width(5, 10)),
        ("recall[minority] >= 0.5", 0.1, half_width(5, 10)),
        ("precision[rare] >= 0.75", 0.25, half_width(6, 8)),
        ("f1[rare] >= 0.5", 0.5 - 8 / 18, half_width(4.5, 9)),
        ("accuracy >= 0.95", 0.05, half_width(95, 100)),
        # F1 of common is that of (90 + 92) / 2 rows; the mean of two independent ones.
        ("macro_f1 >= 0.8", 0.3, math.hypot(half_width(0.8 * 91, 91), half_width(7.2, 9)) / 2),
    ],
)
def test_shares_have_the_exact_interval_of_the_rows_behind_them(text, shortfall, width):
    assert lacking(text, COUNTED, minority=("rare",)) == pytest.approx(shortfall / width)


def test_of_several_classes_the_worst_one_gives_the_unit():
    # common lacks 0.98 - 0.956, rare 0.98 - 0.4
    assert lacking("recall[*] >= 0.98", COUNTED) == pytest.approx(0.58 / half_width(9.8, 10))


def test_the_precision_of_a_class_that_is_never_right_goes_by_how_often_it_was_named():
    metrics = {**COUNTED, "recall[rare]": 0.0, "precision[rare]": 0.0}
    told = lacking("precision[rare] >= 0.5", metrics, [[87, 3], [10, 0]])
    assert told == pytest.approx(0.5 / half_width(1.5, 3))
    labels = lacking("precision[rare] >= 0.5", metrics, [[[0, 10], [0, 90]], [[86, 4], [10, 0]]])
    assert labels == pytest.approx(0.5 / half_width(2, 4))


def test_a_part_of_the_data_has_its_own_rows():
    metrics = {"recall[a]@s=x": 0.2, "support[a]@s=x": 5.0, "recall[a]": 0.9, "support[a]": 500.0}
    assert lacking("recall[a]@s=x >= 0.4", metrics) == pytest.approx(0.2 / half_width(2, 5))


def test_errors_vary_as_their_own_second_moment_says():
    # mae 3 and rmse 5: sd 4, 4 / 3 of the mean; at 1.5 that is 2. Of 100 rows: z · 2 / 10.
    metrics = {"mae[x]": 3.0, "rmse[x]": 5.0, "mae": 3.0, "support[a]": 60.0, "support[b]": 40.0}
    assert lacking("mae[x] <= 1.5", metrics) == pytest.approx(1.5 / (Z * 2 / 10))
    assert lacking("mae <= 1.5", metrics) == pytest.approx(1.5 / (Z * 2 / 10))
    assert lacking("rmse[x] <= 2", metrics) == pytest.approx(3 / (Z * 2 / math.sqrt(200)))
    # Dimensions err together, so their mean varies as one of them does.
    assert lacking("rmse <= 2", {**metrics, "rmse": 5.0}) == pytest.approx(3 / (Z * 2 / math.sqrt(200)))


def test_counts_of_rows_and_areas_under_curves():
    metrics = {"catastrophic_failures": 5.0, "roc_auc[b]": 0.6, "support[a]": 60.0, "support[b]": 40.0}
    assert lacking("catastrophic_failures <= 2", metrics) == pytest.approx(3 / (100 * half_width(2, 100)))
    # Hanley and McNeil 1982 with A = 0.8: Q1 = 2/3, Q2 = 1.28 / 1.8; variance of 40 against 60.
    variance = (0.16 + 39 * (2 / 3 - 0.64) + 59 * (1.28 / 1.8 - 0.64)) / 2400
    assert lacking("roc_auc[b] >= 0.8", metrics) == pytest.approx(0.2 / (Z * math.sqrt(variance)))


def test_every_metric_has_a_margin_above_zero():
    """Whatever the threshold, and where nothing is known of the rows."""
    labels = LabelSpace(("low", "high"), ("high",), ("x",), CatastrophicRule(3.0, 5.5), ordered=True)
    true, predicted = np.array([1.0, 2.0, 7.0, 8.0]), np.array([1.5, 6.0, 6.0, 4.0])
    classes = (np.array([0, 0, 1, 1]), np.array([0, 1, 1, 0]))
    predictions = Predictions(np.arange(4), *classes, None, true[:, None], predicted[:, None], true, predicted)
    metrics = evaluate(predictions, labels)
    told = row(metrics, confusion_matrix(predictions, labels))
    for metric in registered():
        selector = {"class": "[*]", "dimension": "[*]"}.get(str(metric.selector), "")
        for threshold in (0, 0.5, 1):
            criterion = parse(f"{metric.name}{selector} >= {threshold}", labels.minority)
            for one in (told, row({})):
                assert 0 < margin(criterion.judge(one.metrics), one) < math.inf
