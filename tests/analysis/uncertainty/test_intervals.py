import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import beta, binom, binomtest

from rarecall.analysis.uncertainty.intervals import Interval, exact, jeffreys, probability_at_least

counts = st.integers(1, 400).flatmap(lambda rows: st.tuples(st.integers(0, rows), st.just(rows)))
levels = st.sampled_from([0.5, 0.8, 0.9, 0.95, 0.99])


@settings(max_examples=1000)
@given(counts, levels)
def test_exact_is_what_scipy_has(count: tuple[int, int], level: float) -> None:
    expected = binomtest(*count).proportion_ci(level, method="exact")
    interval = exact(*count, level)
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@settings(max_examples=1000)
@given(counts, levels, st.floats(0.001, 0.999))
def test_jeffreys_and_its_probability_are_the_beta_distribution(
    count: tuple[int, int], level: float, threshold: float
) -> None:
    hits, rows = count
    posterior = beta(hits + 0.5, rows - hits + 0.5)
    interval = jeffreys(hits, rows, level)
    low, high = posterior.ppf([(1 - level) / 2, (1 + level) / 2])
    assert interval.low == pytest.approx(low if hits else 0.0, abs=1e-9)
    assert interval.high == pytest.approx(high if hits < rows else 1.0, abs=1e-9)
    assert probability_at_least(hits, rows, threshold) == pytest.approx(posterior.sf(threshold), abs=1e-9)


def test_three_rows_by_hand() -> None:
    # All three hits: the lower end solves p³ = 0.05. None: 1 - (1 - p)³ with the tail in the upper end.
    assert exact(3, 3).low == pytest.approx(0.05 ** (1 / 3), abs=1e-12)
    assert exact(0, 3).high == pytest.approx(1 - 0.05 ** (1 / 3), abs=1e-12)
    assert exact(0, 0) == Interval(0.0, 1.0)
    assert probability_at_least(3, 3, 0.0) == 1.0
    assert probability_at_least(3, 3, 1.0) == 0.0


@pytest.mark.parametrize("rows", [3, 14, 23, 169])
def test_exact_covers_at_least_as_often_as_it_claims(rows: int) -> None:
    intervals = [exact(hits, rows) for hits in range(rows + 1)]
    for true in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        covered = sum(binom.pmf(hits, rows, true) for hits in range(rows + 1) if intervals[hits].holds(true))
        assert covered >= 0.9 - 1e-12


@pytest.mark.parametrize(("hits", "rows"), [(4, 3), (-1, 3), (math.nan, 3)])
def test_a_count_that_cannot_be_is_refused(hits: float, rows: int) -> None:
    with pytest.raises(ValueError, match="hits must lie between 0 and the number of rows, got"):
        exact(hits, rows)


def test_a_level_in_percent_is_refused() -> None:
    with pytest.raises(ValueError, match=r"between 0 and 1, got 90 \(write 0.9 for 90 %\)"):
        exact(1, 3, 90)
