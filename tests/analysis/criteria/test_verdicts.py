import math

import numpy as np
import pytest
from scipy.stats import beta

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.verdicts import Assessment, Finding, Proportion, assess, status_of
from rarecall.analysis.evaluation.evaluation import evaluated
from rarecall.analysis.predictions.label_space import CatastrophicRule, LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.text.evaluation import render
from rarecall.analysis.uncertainty.expected import Expected
from rarecall.analysis.uncertainty.intervals import exact, probability_at_least

LABELS = LabelSpace(("common", "middle", "rare"), ("middle", "rare"))
SCORED = LabelSpace(("low", "high"), ("high",), ("x",), CatastrophicRule(4.0, 8.0), ordered=True)


def hits_of(*counts: tuple[int, int]) -> Predictions:
    """Right and all rows by class; what is wrong is predicted as the next class."""
    true = np.repeat(np.arange(len(counts)), [rows for _, rows in counts])
    right = np.concatenate([np.arange(rows) < hits for hits, rows in counts])
    wrong = (true + 1) % len(counts)
    return Predictions(np.arange(len(true)), true, np.where(right, true, wrong))


def one(assessment: Assessment) -> Finding:
    (finding,) = assessment.findings
    return finding


@pytest.mark.parametrize(
    ("hits", "rows", "status", "probability"),
    [
        (3, 3, "met", beta(3.5, 0.5).sf(0.4)),
        (2, 3, "undecided", beta(2.5, 1.5).sf(0.4)),
        (1, 3, "undecided", beta(1.5, 2.5).sf(0.4)),
        (0, 3, "missed", beta(0.5, 3.5).sf(0.4)),
        (40, 100, "undecided", beta(40.5, 60.5).sf(0.4)),
        (60, 100, "met", beta(60.5, 40.5).sf(0.4)),
    ],
)
def test_recall(hits: int, rows: int, status: str, probability: float) -> None:
    finding = one(assess(hits_of((50, 60), (10, 20), (hits, rows)), LABELS, [parse("recall[rare] >= 0.4")]))
    assert finding.status == status
    assert finding.probability == pytest.approx(probability, abs=1e-9)
    assert (finding.rows, finding.proportion) == (rows, Proportion(hits, rows))
    assert finding.interval == exact(hits, rows)
    assert finding.verdict.value == pytest.approx(hits / rows)


def test_the_other_side_of_a_threshold_is_the_rest() -> None:
    predictions = hits_of((50, 60), (10, 20), (1, 3))
    below = one(assess(predictions, LABELS, [parse("recall[rare] <= 0.4")]))
    assert below.probability == pytest.approx(beta(1.5, 2.5).cdf(0.4), abs=1e-9)


def test_precision_and_accuracy_are_counts_too() -> None:
    predictions = hits_of((50, 60), (10, 20), (2, 3))  # 12 rows are predicted rare: 10 of the middle class, 2 rare ones
    assessment = assess(predictions, LABELS, [parse("precision[rare] >= 0.1"), parse("accuracy >= 0.7")])
    assert [finding.proportion for finding in assessment.findings] == [Proportion(2, 12), Proportion(62, 83)]
    assert assessment.findings[1].interval == exact(62, 83)


def test_joint_probability_of_two_classes_is_nearly_their_product() -> None:
    """Within the classes rows are drawn independently, so here the product is the truth: Beta tails by scipy."""
    predictions = hits_of((50, 60), (9, 20), (2, 3))
    assessment = assess(predictions, LABELS, [parse("recall[middle] >= 0.4"), parse("recall[rare] >= 0.4")], draws=8000)
    product = beta(9.5, 11.5).sf(0.4) * beta(2.5, 1.5).sf(0.4)
    assert assessment.joint == pytest.approx(product, abs=0.02)


def test_joint_probability_of_what_hangs_together_is_no_product() -> None:
    """recall >= 0.4 and recall >= 0.5 of one class: both hold where the second does."""
    predictions = hits_of((50, 60), (9, 20), (2, 3))
    criteria = [parse("recall[middle] >= 0.4"), parse("recall[middle] >= 0.5")]
    assessment = assess(predictions, LABELS, criteria, draws=8000)
    assert assessment.joint == pytest.approx(beta(9.5, 11.5).sf(0.5), abs=0.02)
    opposite = [parse("recall[middle] >= 0.5"), parse("recall[middle] < 0.5")]
    assert assess(predictions, LABELS, opposite).joint == 0.0


def test_every_all_and_any() -> None:
    predictions = hits_of((50, 60), (9, 20), (2, 3))
    minority = LABELS.minority
    lines = ["recall[all] >= 0.4", "recall[any] >= 0.4", "recall[*] >= 0.4"]
    criteria = [parse(line, minority) for line in lines]
    every, some, each = assess(predictions, LABELS, criteria, draws=8000).findings
    middle, rare = beta(9.5, 11.5).sf(0.4), beta(2.5, 1.5).sf(0.4)
    assert every.probability == pytest.approx(middle * rare, abs=0.02)
    assert some.probability == pytest.approx(1 - (1 - middle) * (1 - rare), abs=0.02)
    assert each.probability == pytest.approx(every.probability, abs=0.01)  # 50 of 60 common rows: no doubt
    assert (every.verdict.key, some.verdict.key) == ("recall[middle]", "recall[rare]")
    assert (every.proportion, some.proportion) == (Proportion(9, 20), Proportion(2, 3))


def test_the_mean_over_the_minority() -> None:
    finding = one(assess(hits_of((50, 60), (9, 20), (2, 3)), LABELS, [parse("recall[minority] >= 0.4")]))
    assert finding.verdict.value == pytest.approx((9 / 20 + 2 / 3) / 2)
    assert finding.proportion is None
    assert finding.interval.low < 0.558 < finding.interval.high


def test_what_was_not_measured_is_undecided() -> None:
    predictions = hits_of((50, 60), (9, 20), (0, 0))
    criteria = [parse("recall[rare] >= 0.4"), parse("recall[*] >= 0.1"), parse("recall[middle] >= 0.1")]
    assessment = assess(predictions, LABELS, criteria)
    assert [finding.status for finding in assessment.findings] == ["undecided", "undecided", "met"]
    assert math.isnan(assessment.findings[0].probability)
    assert math.isnan(assessment.joint)
    assert assess(predictions, LABELS, []).joint == 1.0


def test_a_class_that_is_never_predicted_has_a_precision_nobody_knows() -> None:
    finding = one(assess(hits_of((60, 60), (20, 20), (0, 3)), LABELS, [parse("precision[rare] >= 0.5")]))
    assert (finding.verdict.value, finding.rows, finding.interval) == (0.0, 0, exact(0, 0))


def test_scores_and_counts() -> None:
    """Errors of ±1 by turns: the mean absolute error is 1 in every draw. One row of 40 is a catastrophic failure."""
    true = np.array([2.0] * 30 + [8.0] * 10)
    predicted = true + np.where(np.arange(40) % 2, 1.0, -1.0)
    predictions = Predictions(
        np.arange(40),
        (true >= 5).astype(np.int64),
        (predicted >= 5).astype(np.int64),
        true_scores=true[:, None],
        predicted_scores=predicted[:, None],
        true_overall=true,
        predicted_overall=np.where(np.arange(40) == 0, 9.0, predicted),
    )
    lines = ["mae[*] <= 1.5", "mae <= 0.9", "catastrophic_failures == 0", "catastrophic_failures <= 1"]
    error, missed, none, few = assess(predictions, SCORED, [parse(line) for line in lines]).findings
    assert (error.status, error.probability, error.rows) == ("met", 1.0, 40)
    assert (error.interval.low, error.interval.high) == pytest.approx((1.0, 1.0))
    assert (missed.status, missed.probability) == ("missed", 0.0)
    assert (none.status, few.status) == ("missed", "met")
    assert math.isnan(few.probability)  # a count has no true value, only one to expect: its interval
    share = exact(1, 40)
    assert (few.interval.low, few.interval.high) == pytest.approx((40 * share.low, 40 * share.high))


def test_a_part_of_the_data() -> None:
    predictions = hits_of((50, 60), (9, 20), (2, 3))
    script = np.array(["native"] * 80 + ["romaji", "romaji", "native"], object)
    marked = Predictions(
        predictions.rows, predictions.true_class, predictions.predicted_class, slices={"script": script}
    )
    criteria = [parse("recall[rare]@script=romaji >= 0.4"), parse("recall[rare]@script=kana >= 0.4")]
    found, nowhere = assess(marked, LABELS, criteria).findings
    assert found.proportion == Proportion(2, 2)
    assert found.probability == pytest.approx(beta(2.5, 0.5).sf(0.4), abs=1e-9)
    assert nowhere.status == "undecided"


def test_the_level_decides_what_is_undecided() -> None:
    predictions = hits_of((50, 60), (9, 20), (2, 3))  # P = 0.81 for the rare class
    criteria = [parse("recall[rare] >= 0.4")]
    assert one(assess(predictions, LABELS, criteria, level=0.75)).status == "met"
    assert one(assess(predictions, LABELS, criteria, level=0.9)).status == "undecided"
    assert (status_of(0.9, 0.9), status_of(0.1, 0.9), status_of(math.nan, 0.9)) == ("met", "missed", "undecided")
    with pytest.raises(ValueError, match=r"at least 0\.5 and below 1, got 90"):
        assess(predictions, LABELS, criteria, level=90)


def test_a_figure_of_the_minority_is_told_with_the_rows_of_the_minority() -> None:
    true = np.repeat([0, 1, 2], [50, 6, 4])
    labels = LabelSpace(("common", "rare", "rarer"), ("rare", "rarer"))
    (finding,) = assess(Predictions(np.arange(60), true, true), labels, [parse("minority_recall >= 0.5")]).findings
    assert finding.rows == 10


def test_a_chosen_figure_moves_verdict_interval_and_probability() -> None:
    """8 of 10, of which fresh rows should give 7: as Clopper and Pearson, and Jeffreys, say of 7 of 10."""
    true = np.repeat([0, 1], [30, 10])
    predictions = Predictions(np.arange(40), true, np.where(np.arange(40) >= 38, 0, true))
    labels = LabelSpace(("common", "rare"), ("rare",))
    given = {"recall[rare]": Expected(0.8, 0.7)}
    told = assess(predictions, labels, [parse("recall[rare] >= 0.6")], expected=given, correction="so")
    (finding,) = told.findings
    assert (finding.verdict.value, finding.expected, finding.proportion) == (0.8, 0.7, Proportion(8, 10))
    assert (finding.interval.low, finding.interval.high) == pytest.approx((exact(7, 10).low, exact(7, 10).high))
    assert finding.probability == pytest.approx(probability_at_least(7, 10, 0.6))
    assert told.joint <= finding.probability
    assert told.plain()["findings"][0]["expected"] == 0.7


def test_a_figure_whose_choice_was_unsure_has_a_wider_interval_around_the_same_middle() -> None:
    true = np.repeat([0, 1], [60, 40])
    predictions = Predictions(np.arange(100), true, np.where(np.arange(100) % 4 == 3, 1 - true, true))
    labels = LabelSpace(("common", "rare"), ("rare",))
    criterion = parse("f1[rare] >= 0.5")
    value = assess(predictions, labels, [criterion]).findings[0].verdict.value
    one, two = (
        assess(predictions, labels, [criterion], expected={"f1[rare]": Expected(value, value, wider)}).findings[0]
        for wider in (1.0, 1.5)
    )
    assert two.interval.high - two.interval.low == pytest.approx(1.5 * (one.interval.high - one.interval.low))
    assert sum((two.interval.low, two.interval.high)) == pytest.approx(
        sum((one.interval.low, one.interval.high)), abs=0.02
    )
    assert two.probability == one.probability


def test_a_dimension_named_like_a_tier_has_all_rows_and_its_line() -> None:
    true = np.array([2.0] * 30 + [8.0] * 10)
    labels = LabelSpace(("low", "pilot"), ("pilot",), ("pilot", "reach"), ordered=True)
    scores = np.column_stack([true, true])
    predictions = Predictions(
        np.arange(40),
        (true >= 5).astype(np.int64),
        (true >= 5).astype(np.int64),
        true_scores=scores,
        predicted_scores=scores + 0.5,
        true_overall=true,
        predicted_overall=true + 0.5,
    )
    result = evaluated("file", predictions, labels, [parse("mae[pilot] <= 1")])
    assert result.assessment.findings[0].rows == 40
    assert "mae[pilot]" in render(result, 100).partition("true \\ predicted")[0]
