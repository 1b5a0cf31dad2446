import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import beta, binom

from rarecall.analysis.uncertainty.decidability import decidability
from rarecall.analysis.uncertainty.intervals import probability_at_least

rows = st.integers(0, 400)
thresholds = st.floats(0.0, 1.0)


@given(rows, thresholds)
def test_it_follows_from_jeffreys_posterior(n, threshold):
    found = decidability(n, threshold)
    # scipy's own Beta(k + 1/2, n - k + 1/2); at 0 and 1 the share is always reached, or hardly ever.
    if 0 < threshold < 1:
        assert found.at_best == pytest.approx(beta.sf(threshold, n + 0.5, 0.5), abs=1e-9)
        hits = min(1.0, threshold + 0.1) * n
        assert found.expected == pytest.approx(beta.sf(threshold, hits + 0.5, n - hits + 0.5), abs=1e-9)
    assert (found.outlook == "cannot be met") == (found.at_best < 0.9)
    assert (found.least is None) == (found.outlook == "cannot be met")


@given(rows, thresholds)
def test_the_least_hits_decide_and_one_fewer_does_not(n, threshold):
    found = decidability(n, threshold)
    if found.least is not None:
        assert probability_at_least(found.least, n, threshold) >= 0.9 - 1e-9
        assert found.chance == pytest.approx(binom.sf(found.least - 1, n, min(1.0, threshold + 0.1)))
        if found.least:
            assert probability_at_least(found.least - 1, n, threshold) < 0.9 + 1e-9


@given(st.floats(0.05, 0.85))
def test_as_many_rows_as_are_needed_are_enough(threshold):
    needed = decidability(3, threshold).needed
    assert decidability(needed, threshold).outlook == "decidable"
    assert decidability(needed - 1, threshold).outlook != "decidable"


def test_three_rows_decide_by_luck_only():
    three = decidability(3, 0.40)
    # Three of three where half are right on average: 0.5 ** 3.
    assert (three.least, three.chance, three.outlook) == (3, pytest.approx(0.125), "too few rows")
    assert decidability(3, 0.95).outlook == "cannot be met"


def test_at_most_is_the_same_from_the_other_side():
    below, above = decidability(50, 0.3, at_most=True), decidability(50, 0.7)
    assert (below.at_best, below.needed, below.least) == pytest.approx((above.at_best, above.needed, above.least))


@pytest.mark.parametrize(("n", "threshold"), [(-1, 0.5), (3, 1.5)])
def test_impossible_questions_are_refused(n, threshold):
    with pytest.raises(ValueError, match="rows must not be negative"):
        decidability(n, threshold)
