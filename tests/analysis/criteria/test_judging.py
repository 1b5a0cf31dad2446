import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.judging import MetricsTable, judge_all, rank_keys
from rarecall.analysis.criteria.ranking import rank_key, score
from rarecall.analysis.runs.ranking.pareto_front import pareto

LINES = (
    "accuracy >= 0.5",
    "accuracy > 0.5",
    "recall[a] < 0.5",
    "recall[*] >= 0.4",
    "recall[all] >= 0.4",
    "recall[any] >= 0.6",
    "recall[minority] <= 0.5",
    "mae[*] <= 1.5",
    "mae == 2",
)
KEYS = ("accuracy", "recall[a]", "recall[b]", "minority_recall", "mae[x]", "mae[y]", "mae", "macro_f1")
values = st.sampled_from([0.0, 0.4, 0.5, 0.5 + 1e-12, 0.6, 1.0, 2.0, 3.0, math.nan, math.inf])
many = st.lists(st.dictionaries(st.sampled_from(KEYS), values), min_size=1, max_size=12)


@settings(max_examples=80)
@given(many, st.lists(st.sampled_from(LINES), max_size=5), st.sampled_from(["accuracy", "mae", "minority_recall"]))
def test_many_at_once_say_what_each_says_alone(
    metrics: list[dict[str, float]], lines: list[str], objective: str
) -> None:
    criteria = [parse(line, ("a", "b")) for line in lines]
    assert rank_keys(metrics, criteria, objective).tolist() == [
        pytest.approx(rank_key(one, criteria, objective), abs=1e-9) for one in metrics
    ]
    judged = judge_all(metrics, criteria)
    scores = MetricsTable(metrics).scores(judged.violations.sum(axis=1), objective)
    assert scores.tolist() == pytest.approx([score(one, criteria, objective) for one in metrics], abs=1e-9)
    for row, one in enumerate(metrics):
        for place, criterion in enumerate(criteria):
            verdict = criterion.judge(one)
            assert judged.met[row, place] == (verdict.status == "met")
            assert judged.violations[row, place] == pytest.approx(verdict.violation, abs=1e-12)
            assert judged.values[row, place] == pytest.approx(verdict.value, abs=1e-9, nan_ok=True)


points = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=30)


@given(points)
def test_pareto_by_comparing_all_pairs(pairs: list[tuple[int, int]]) -> None:
    gain, cost = np.array([pair[0] for pair in pairs], float), np.array([pair[1] for pair in pairs], float)
    beaten = [any(g >= h and c <= d and (g, c) != (h, d) for g, c in pairs) for h, d in pairs]
    assert pareto(gain, cost).tolist() == [not one for one in beaten]


def test_pareto_leaves_out_what_is_not_known() -> None:
    assert pareto(np.array([math.nan, 0.1]), np.array([0.0, math.nan])).tolist() == [False, False]
