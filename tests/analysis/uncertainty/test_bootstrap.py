import numpy as np
import pytest
from scipy.stats import beta, kstest

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty import bootstrap
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior

LABELS = LabelSpace(("common", "middle", "rare"), ("middle", "rare"))


@pytest.fixture(scope="module")
def predictions() -> Predictions:
    """40, 14 and 3 rows, of which 30, 7 and 3 are right."""
    true = np.repeat([0, 1, 2], [40, 14, 3])
    predicted = np.concatenate([np.repeat([0, 1], [30, 10]), np.repeat([1, 0], [7, 7]), [2, 2, 2]])
    return Predictions(np.arange(57), true, predicted, slices={"half": np.array(["one", "two"] * 28 + ["one"], object)})


def test_recall_is_distributed_as_jeffreys_posterior(predictions: Predictions) -> None:
    drawn = posterior(predictions, LABELS, ["recall"], draws=4000, seed=5)
    for name, hits, rows in (("common", 30, 40), ("middle", 7, 14), ("rare", 3, 3)):
        expected = beta(hits + 0.5, rows - hits + 0.5)
        assert kstest(drawn[f"recall[{name}]"], expected.cdf).pvalue > 0.001
    assert np.mean(drawn["recall[rare]"] < 0.8) > 0.1  # three of three is no certainty


def test_recall_within_a_part_of_the_data(predictions: Predictions) -> None:
    drawn = posterior(predictions, LABELS, ["recall"], [("half", "one")], draws=4000)
    # Rows 54 and 56 of the rare class are in the part "one", both right.
    assert kstest(drawn["recall[rare]@half=one"], beta(2.5, 0.5).cdf).pvalue > 0.001


def test_the_same_seed_gives_pairs(predictions: Predictions) -> None:
    names = ["recall", "macro_f1", "accuracy"]
    one, same, other = (posterior(predictions, LABELS, names, draws=50, seed=seed) for seed in (1, 1, 2))
    for key in one:
        assert np.array_equal(one[key], same[key])
    assert not np.array_equal(one["accuracy"], other["accuracy"])
    assert predictions.predicted_class is not None
    changed = predictions.predicted_class.copy()
    changed[0] = 1  # one common row fewer is right: lower in every draw, the rare class untouched
    worse = posterior(Predictions(predictions.rows, predictions.true_class, changed), LABELS, names, draws=50, seed=1)
    assert (worse["recall[common]"] < one["recall[common]"]).all()
    assert np.array_equal(worse["recall[rare]"], one["recall[rare]"])


def test_blocks_of_draws_are_put_together(predictions: Predictions, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "_BLOCK", 57 * 20)
    drawn = posterior(predictions, LABELS, ["recall", "minority_f1"], draws=50)
    assert {key: values.shape for key, values in drawn.items()} == dict.fromkeys(drawn, (50,))
    assert len(np.unique(drawn["recall[rare]"])) == 50


def test_counts_stay_as_counted(predictions: Predictions) -> None:
    drawn = posterior(predictions, LABELS, ["support"], draws=5)
    assert drawn["support[rare]"].tolist() == [3.0] * 5


def test_a_mean_over_many_classes_is_not_shifted() -> None:
    """100 classes of 20 rows with 18 right: the draws must lie around 0.9, within a standard error of 0.0067."""
    true = np.repeat(np.arange(100), 20)
    predicted = np.where(np.arange(2000) % 20 < 2, (true + 1) % 100, true)
    names = tuple(f"c{number}" for number in range(100))
    drawn = posterior(
        Predictions(np.arange(2000), true, predicted), LabelSpace(names, names[1:]), ["macro_f1"], draws=200
    )
    assert np.median(drawn["macro_f1"]) == pytest.approx(0.9, abs=0.004)


def test_percentile_without_draws_is_unknown() -> None:
    assert np.isnan(percentile(np.array([np.nan, np.nan])).low)
