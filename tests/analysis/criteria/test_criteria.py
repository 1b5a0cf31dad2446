import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecall.analysis.criteria.criterion import check, check_objective, keys, parse
from rarecall.analysis.predictions.label_space import LabelSpace

PLAIN = LabelSpace(("common", "rare"), ("rare",))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("recall[deployed_proven] >= 0.40", ("recall", "deployed_proven", ">=", 0.4)),
        ("  mae<1.5 ", ("mae", None, "<", 1.5)),
        ("mae[*] <= 1.5", ("mae", "*", "<=", 1.5)),
        ("recall[ minority ]>0", ("recall", "minority", ">", 0.0)),
        ("catastrophic_failures == 0", ("catastrophic_failures", None, "==", 0.0)),
        ("f1[C++ [old] >= 1] >= 1e-1", ("f1", "C++ [old] >= 1", ">=", 0.1)),
        ("precision[有害] >= .5", ("precision", "有害", ">=", 0.5)),
    ],
)
def test_parse(text: str, expected: tuple[str, str | None, str, float]) -> None:
    criterion = parse(text)
    assert (criterion.metric, criterion.selector, criterion.op, criterion.threshold) == expected
    assert criterion.text == text.strip()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a criterion must read"),
        ("recall[rare]", "a criterion must read"),
        ("recall[rare] => 0.4", "a criterion must read"),
        ("recall[rare] >= 0.4 0.5", "a criterion must read"),
        ("recal[rare] >= 0.4", r"must be one of recall, .*got 'recal' \(did you mean 'recall'\?\)"),
        ("recall >= 0.4", r"recall must name a class, got none \(write recall\[...\] or \[\*\]\)"),
        ("recall[] >= 0.4", "recall must name a class"),
        ("support >= 4", "support must name a class"),
        ("accuracy[rare] >= 0.4", r"accuracy takes no selector, got 'rare' \(write accuracy\)"),
        ("accuracy >= high", "must be a number such as 0.40, got 'high'"),
        ("accuracy >= nan", "must be a number such as 0.40, got 'nan'"),
        ("accuracy >= 40%", "must be a number such as 0.40, got '40%'"),
        ("accuracy >= 88", r"share from 0 to 1, got 88 \(write 0.88 for 88 %\)"),
        ("accuracy >= -0.1", "share from 0 to 1, got -0.1"),
    ],
)
def test_parse_refuses(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text)


@pytest.mark.parametrize(
    ("text", "value", "status", "violation"),
    [
        ("accuracy >= 0.5", 0.5, "met", 0.0),
        ("accuracy >= 0.5", 0.3, "missed", 0.2),
        ("accuracy >= 0.5", 0.5 - 1e-12, "met", 0.0),  # rounding
        ("accuracy > 0.5", 0.5, "missed", 1e-9),
        ("accuracy > 0.5", 0.51, "met", 0.0),
        ("accuracy <= 0.5", 0.7, "missed", 0.2),
        ("accuracy < 0.5", 0.4, "met", 0.0),
        ("accuracy == 0.5", 0.25, "missed", 0.25),
        ("accuracy == 0.5", 0.75, "missed", 0.25),
        ("mae <= 1.5", 2.1, "missed", (2.1 - 1.5) / 1.5),  # an amount: divided by the threshold
        ("mae <= 0.5", 0.8, "missed", 0.3),  # but never by less than 1
        ("catastrophic_failures == 0", 4.0, "missed", 4.0),
        ("catastrophic_failures == 0", 0.0, "met", 0.0),
        ("accuracy >= 0.5", math.nan, "undecided", 0.0),
        ("mae <= 1.5", math.inf, "undecided", 0.0),
    ],
)
def test_judge(text: str, value: float, status: str, violation: float) -> None:
    criterion = parse(text)
    verdict = criterion.judge({criterion.metric: value})
    assert verdict.status == status
    assert verdict.violation == pytest.approx(violation, abs=1e-15)


def test_a_metric_that_is_not_there_leaves_it_undecided() -> None:
    verdict = parse("accuracy >= 0.5").judge({})
    assert (verdict.status, verdict.key, verdict.violation) == ("undecided", "", 0.0)
    assert math.isnan(verdict.value)


def test_every_is_decided_by_the_worst() -> None:
    metrics = {"recall[a]": 0.9, "recall[b]": 0.3, "recall[c]": 0.45, "f1[b]": 0.0, "minority_recall": 0.0}
    verdict = parse("recall[*] >= 0.5").judge(metrics)
    assert (verdict.status, verdict.value, verdict.key) == ("missed", 0.3, "recall[b]")
    assert verdict.violation == pytest.approx(0.2)
    met = parse("recall[*] >= 0.2").judge(metrics)
    assert (met.status, met.value) == ("met", 0.3)
    assert parse("recall[*] <= 0.95").judge(metrics).value == 0.9


def test_every_with_a_class_without_rows() -> None:
    metrics = {"recall[a]": 0.9, "recall[b]": math.nan}
    assert parse("recall[*] >= 0.5").judge(metrics).status == "undecided"
    assert parse("recall[*] >= 0.95").judge(metrics).status == "missed"


def test_minority_is_the_mean_unless_a_class_has_the_name() -> None:
    criterion = parse("recall[minority] >= 0.5")
    assert criterion.judge({"recall[a]": 1.0, "minority_recall": 0.4}).value == 0.4
    assert criterion.judge({"recall[minority]": 0.7, "minority_recall": 0.4}).value == 0.7
    assert keys("f1", "minority", {"minority_f1": 0.0}) == ("minority_f1",)


@given(
    op=st.sampled_from([">=", ">", "<=", "<", "=="]),
    threshold=st.floats(0, 1),
    value=st.floats(allow_nan=True, allow_infinity=True),
    metric=st.sampled_from(["accuracy", "mae"]),
)
def test_violation_is_finite_and_above_zero_exactly_when_missed(
    op: str, threshold: float, value: float, metric: str
) -> None:
    verdict = parse(f"{metric} {op} {threshold!r}").judge({metric: value})
    assert math.isfinite(verdict.violation)
    assert (verdict.violation > 0) == (verdict.status == "missed")
    assert (verdict.status == "undecided") == (not math.isfinite(value))


@given(value=st.floats(0, 1), threshold=st.floats(0, 1))
def test_agrees_with_python_outside_rounding(value: float, threshold: float) -> None:
    if abs(value - threshold) > 1e-9:
        for op, holds in ((">=", value >= threshold), ("<", value < threshold), ("==", False)):
            assert (parse(f"accuracy {op} {threshold!r}").judge({"accuracy": value}).status == "met") == holds


def test_check_accepts_what_the_task_has(tiers: LabelSpace, tier_criteria: tuple[str, ...]) -> None:
    more = ("recall[minority] >= 0.3", "recall[*] > 0", "support[pilot] >= 5", "mae <= 2", "minority_f1 >= 0.2")
    check([parse(text) for text in (*tier_criteria, *more)], tiers)


def test_check_tells_all_faults_together() -> None:
    texts = ("recall[rear] >= 0.4", "mae[*] <= 1.5", "catastrophic_failures == 0", "accuracy >= .5", "accuracy >= 0.5")
    with pytest.raises(ValueError, match="must be one of common, rare") as caught:
        check([parse(text) for text in texts], PLAIN)
    lines = str(caught.value).splitlines()
    assert lines == [
        "the class of recall must be one of common, rare or *, got 'rear' (did you mean 'rare'?)",
        "mae needs a task with score dimensions, and this one has none (leave the line out)",
        "catastrophic_failures needs a task with a catastrophic rule, and this one has none (leave the line out)",
        "a criterion must be given once, got 'accuracy >= 0.5' again",
    ]


def test_support_has_no_minority_mean() -> None:
    with pytest.raises(ValueError, match="got 'minority'"):
        check([parse("support[minority] >= 3")], PLAIN)


@pytest.mark.parametrize("objective", ["minority_recall", "recall[rare]", "recall[minority]", "macro_f1"])
def test_check_objective_accepts(objective: str) -> None:
    check_objective(objective, PLAIN)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        ("minority_recal", "did you mean 'minority_recall'"),
        ("recall", "must name a class"),
        ("recall[*]", "the objective must be one number"),
        ("recall[rear]", "did you mean 'rare'"),
        ("mae", "needs a task with score dimensions"),
    ],
)
def test_check_objective_refuses(objective: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        check_objective(objective, PLAIN)


MINORITY = ("middle", "rare")


@pytest.mark.parametrize(
    ("text", "middle", "rare", "status", "key", "violation"),
    [
        ("recall[all] >= 0.5", 0.6, 0.4, "missed", "recall[rare]", 0.1),
        ("recall[all] >= 0.5", 0.6, 0.5, "met", "recall[rare]", 0.0),
        ("recall[any] >= 0.5", 0.6, 0.4, "met", "recall[middle]", 0.0),
        ("recall[any] >= 0.5", 0.2, 0.4, "missed", "recall[rare]", 0.1),  # the better one decides
        ("recall[any] <= 0.3", 0.2, 0.4, "met", "recall[middle]", 0.0),
        ("recall[all] >= 0.5", 0.6, math.nan, "undecided", "recall[middle]", 0.0),
        ("recall[all] >= 0.5", 0.4, math.nan, "missed", "recall[middle]", 0.1),
        ("recall[any] >= 0.5", 0.6, math.nan, "met", "recall[middle]", 0.0),
        ("recall[any] >= 0.5", 0.4, math.nan, "undecided", "recall[middle]", 0.0),
    ],
)
def test_any_and_all_of_the_minority(
    text: str, middle: float, rare: float, status: str, key: str, violation: float
) -> None:
    metrics = {"recall[common]": 0.0, "recall[middle]": middle, "recall[rare]": rare}
    verdict = parse(text, MINORITY).judge(metrics)
    assert (verdict.status, verdict.key) == (status, key)
    assert verdict.violation == pytest.approx(violation, abs=1e-12)


def test_any_and_all_need_to_know_the_minority() -> None:
    with pytest.raises(
        ValueError, match=r"any needs the minority classes, got none when 'recall\[any\] >= 0\.5' was parsed"
    ):
        parse("recall[any] >= 0.5").judge({"recall[rare]": 0.5})
    # A class of that name goes before.
    assert parse("recall[any] >= 0.5").judge({"recall[any]": 0.5}).status == "met"
    check([parse("recall[any] >= 0.5", ("rare",)), parse("f1[all] >= 0.5", ("rare",))], PLAIN)
    with pytest.raises(ValueError, match="the objective must be one number"):
        check_objective("recall[any]", PLAIN)
