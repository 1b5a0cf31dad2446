import numpy as np
import pytest
from scipy.stats import binomtest

from rarecall.analysis.errors import InputError
from rarecall.analysis.evaluation.comparison import Comparison, Flip, compared, mcnemar
from rarecall.analysis.evaluation.targets import Target
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.text.comparison import render

LABELS = LabelSpace(("common", "rare"), ("rare",))
TRUE = np.repeat([0, 1], [50, 10])


def target(name: str, predicted: np.ndarray, **changes: object) -> Target:
    predictions = Predictions(np.arange(100, 160), TRUE, predicted)
    return Target(name, predictions, LABELS, params=changes)


def flipped(*rows: int) -> np.ndarray:
    """The truth, but for the rows at these positions."""
    predicted = TRUE.copy()
    predicted[list(rows)] = 1 - predicted[list(rows)]
    return predicted


@pytest.fixture(scope="module")
def comparison() -> Comparison:
    """A misses rare rows 150 to 155, B common rows 100 and 101 and the rare row 150."""
    first = target("a", flipped(*range(50, 56)), rank=8, rate=0.1)
    return compared(first, target("b", flipped(0, 1, 50), rank=16, rate=0.1, dropout=0.5))


def test_differences_are_paired(comparison: Comparison) -> None:
    found = {one.key: one for one in comparison.differences}
    rare = found["recall[rare]"]
    assert (rare.first, rare.second) == (0.4, 0.9)
    # Five of ten rows change sides; the rows weigh the same in both, a pseudo row of each is its own.
    random = np.random.default_rng(1)
    rows = random.standard_exponential((200_000, 10))
    shares = []
    for hits in (4, 9):
        right, wrong = random.standard_gamma(0.5, (2, 200_000))
        shares.append((rows[:, :hits].sum(axis=1) + right) / (rows.sum(axis=1) + right + wrong))
    ends = np.quantile(shares[1] - shares[0], [0.05, 0.95])
    assert (rare.interval.low, rare.interval.high) == pytest.approx(tuple(ends), abs=0.02)
    assert rare.better == pytest.approx((shares[1] > shares[0]).mean(), abs=0.003)
    assert found["accuracy"].first == pytest.approx(54 / 60)


def test_mcnemar_is_the_binomial_test(comparison: Comparison) -> None:
    test = comparison.mcnemar  # A alone has rows 100 and 101 right, B alone rows 151 to 155
    assert (test.only_first, test.only_second) == (2, 5)
    assert test.p_value == pytest.approx(binomtest(2, 7).pvalue)
    assert test.p_value == pytest.approx(2 * (1 + 7 + 21) / 2**7)  # by hand: C(7,0) + C(7,1) + C(7,2), two-sided
    nothing = np.zeros(3, dtype=bool)
    assert mcnemar(nothing, nothing).p_value == 1.0


def test_flips_and_parameters(comparison: Comparison) -> None:
    assert comparison.flips == (Flip("rare", lost=(), gained=(151, 152, 153, 154, 155)),)
    assert comparison.changed == {"rank": (8, 16), "dropout": (None, 0.5)}
    text = render(comparison, 80)
    assert "  rare, gained by B: rows 151, 152, 153, 154, 155" in text.splitlines()
    assert max(map(len, text.splitlines())) <= 80


def test_the_same_predictions_do_not_differ() -> None:
    same = compared(target("a", flipped(3)), target("b", flipped(3)))
    assert all((one.interval.low, one.interval.high, one.better) == (0.0, 0.0, 0.5) for one in same.differences)


def test_rows_are_matched_by_their_number() -> None:
    one = target("a", flipped(3))
    order = np.random.default_rng(0).permutation(60)
    shuffled = Target("b", one.predictions.take(order), LABELS)
    assert compared(one, shuffled).mcnemar.p_value == 1.0
    assert compared(one, shuffled).differences[0].better == 0.5


def test_what_cannot_be_compared_is_refused() -> None:
    one = target("a", flipped(3))
    fewer = Target("b", one.predictions.take(np.arange(50)), LABELS)
    with pytest.raises(InputError, match="must predict the same rows, got 60 and 50 rows, 50 of them in both"):
        compared(one, fewer)
    other_truth = Target("b", Predictions(one.predictions.rows, 1 - TRUE, TRUE), LABELS)
    with pytest.raises(InputError, match="must have the same true classes, got 60 rows that differ"):
        compared(one, other_truth)
    other_classes = Target("b", one.predictions, LabelSpace(("common", "odd"), ("odd",)))
    with pytest.raises(InputError, match="must have the same classes and dimensions to be compared"):
        compared(one, other_classes)


def test_one_hit_of_three_is_no_sure_difference() -> None:
    """1 of 3 against 0 of 3: one row apart, which a coin toss gives half of the time."""
    true = np.repeat([0, 1], [40, 3])
    none = Predictions(np.arange(43), true, np.zeros(43, dtype=np.int64))
    one = Predictions(np.arange(43), true, np.where(np.arange(43) == 42, 1, 0))
    labels = LabelSpace(("common", "rare"), ("rare",))
    (recall, *_) = compared(Target("a", one, labels), Target("b", none, labels)).differences
    assert (recall.key, recall.first, recall.second) == ("recall[rare]", pytest.approx(1 / 3), 0.0)
    assert recall.interval.low < 0 < recall.interval.high
    # Jeffreys' posteriors of 1 of 3 and 0 of 3, were they independent: P(Beta(.5, 3.5) > Beta(1.5, 2.5)) = 0.14.
    assert 0.05 < recall.better < 0.3


def test_a_model_does_not_differ_from_itself() -> None:
    true = np.repeat([0, 1], [40, 3])
    same = Predictions(np.arange(43), true, np.where(np.arange(43) == 42, 1, 0))
    labels = LabelSpace(("common", "rare"), ("rare",))
    for one in compared(Target("a", same, labels), Target("b", same, labels)).differences:
        assert (one.interval.low, one.interval.high, one.better) == (0.0, 0.0, 0.5)
