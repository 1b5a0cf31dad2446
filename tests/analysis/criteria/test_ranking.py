import math
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.ranking import best_epoch, rank_key, score

CRITERIA = [parse("recall[common] >= 0.85"), parse("recall[rare] >= 0.4"), parse("mae <= 1.5")]


def metrics(common: float, rare: float, mae: float = 1.0, macro_f1: float = 0.5) -> dict[str, float]:
    return {
        "recall[common]": common,
        "recall[rare]": rare,
        "minority_recall": rare,
        "mae": mae,
        "macro_f1": macro_f1,
    }


def row(**values: float) -> SimpleNamespace:
    return SimpleNamespace(metrics=metrics(**values))


def test_score_is_the_objective_minus_all_violations() -> None:
    # recall[common] misses by 0.05, recall[rare] by 0.1, mae by 3.0 - 1.5 = 1.5, divided by its threshold: 1.0
    assert score(metrics(0.80, 0.30, mae=3.0), CRITERIA) == pytest.approx(0.30 - 0.05 - 0.1 - 1.0)
    assert score(metrics(0.90, 0.60), CRITERIA) == 0.60


def test_score_of_an_objective_where_lower_is_better() -> None:
    assert score(metrics(0.9, 0.6, mae=1.25), CRITERIA, objective="mae") == -1.25
    assert score(metrics(0.9, 0.6), CRITERIA, objective="recall[common]") == 0.9
    assert score(metrics(0.9, 0.6), CRITERIA, objective="recall[minority]") == 0.6


def test_an_undefined_objective_counts_as_the_worst() -> None:
    assert score({"minority_recall": math.nan}, []) == 0.0
    assert score({}, []) == 0.0
    assert score({}, [], objective="mae") < score({"mae": 1e5}, [], objective="mae")


def test_criteria_go_before_violation_before_objective_before_macro_f1() -> None:
    ordered = [
        metrics(0.86, 0.41),  # 3 met
        metrics(0.80, 0.90),  # 2 met, violation 0.05
        metrics(0.80, 0.50, macro_f1=0.6),  # the same, lower objective
        metrics(0.80, 0.50, macro_f1=0.5),  # the same, lower macro F1
        metrics(0.70, 0.95),  # 2 met, violation 0.15
        metrics(0.80, 0.30),  # 1 met
    ]
    by_key = sorted(ordered, key=lambda one: rank_key(one, CRITERIA), reverse=True)
    assert by_key == ordered


def test_an_undecided_criterion_is_not_met() -> None:
    assert rank_key(metrics(0.9, math.nan), CRITERIA)[:3] == (2, 0.0, -math.inf)


def test_best_epoch_is_the_earliest_of_equals() -> None:
    rows = [row(common=0.8, rare=0.5), row(common=0.9, rare=0.5), row(common=0.9, rare=0.5)]
    assert best_epoch(rows, CRITERIA) is rows[1]
    with pytest.raises(ValueError, match="empty"):
        best_epoch([], CRITERIA)


shares = st.floats(0, 1) | st.just(math.nan)


@given(st.lists(st.tuples(shares, shares, st.floats(0, 10) | st.just(math.nan)), min_size=1, max_size=8))
def test_any_metrics_have_a_finite_score_and_comparable_keys(values: list[tuple[float, float, float]]) -> None:
    rows = [row(common=common, rare=rare, mae=mae) for common, rare, mae in values]
    assert all(math.isfinite(score(one.metrics, CRITERIA)) for one in rows)
    best = rank_key(best_epoch(rows, CRITERIA).metrics, CRITERIA)
    assert all(best >= rank_key(one.metrics, CRITERIA) for one in rows)


@given(shares, st.floats(0, 0.5))
def test_a_better_objective_never_lowers_the_score(rare: float, more: float) -> None:
    if not math.isnan(rare):
        better = metrics(0.9, min(1.0, rare + more))
        assert score(better, CRITERIA) >= score(metrics(0.9, rare), CRITERIA) - 1e-9
