"""Figures corrected for a choice, held against simulations with a known truth and against a hand-made case."""

import numpy as np
import pytest

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.expected import Candidates, Expected, chosen, expected
from rarecall.analysis.uncertainty.redraws import Redraws

LABELS = LabelSpace(("common", "rare"), ("rare",))
KEY = "recall[rare]"


def of_hits(hits: np.ndarray, owner: np.ndarray, draws: int, seed: int = 0) -> Candidates:
    """Candidates whose only figure is the mean of their hits [candidates, rows], with redrawn rows by numpy alone."""
    rows = hits.shape[1]
    counts = np.random.default_rng(seed).multinomial(rows - 1, np.full(rows, 1 / rows), size=draws) / (rows - 1)
    return Candidates(owner, {KEY: hits.mean(axis=1)}, {KEY: counts @ hits.T})


def corrected(candidates: Candidates) -> tuple[float, float]:
    winner = int(candidates.measured[KEY].argmax())
    again = chosen(candidates, (), KEY, 1)
    (figures,) = expected(candidates, np.array([winner]), again, [KEY])
    return figures[KEY].measured, figures[KEY].value


@pytest.mark.parametrize(("trials", "rows", "most"), [(16, 20, 0.03), (16, 50, 0.02), (64, 50, 0.02)])
def test_the_best_of_many_like_trials_is_corrected_to_what_they_truly_are(trials: int, rows: int, most: float) -> None:
    """Trials of a true recall of 0.5, independent but for half of each row's ease; measured, the best is far above."""
    random, told = np.random.default_rng(3), []
    for _ in range(150):
        ease = random.standard_normal((1, rows))
        hits = (ease + random.standard_normal((trials, rows)) < 0).astype(float)
        told.append(corrected(of_hits(hits, np.arange(trials), 200)))
    measured, value = np.mean(told, axis=0)
    assert measured - 0.5 > 3 * most
    assert abs(value - 0.5) <= most


def test_a_trial_that_every_draw_chooses_keeps_what_it_measured() -> None:
    hits = np.array([[1.0] * 18 + [0.0] * 2, [0.0] * 20])
    assert corrected(of_hits(hits, np.arange(2), 200)) == (0.9, 0.9)


def test_twins_flatter_nobody() -> None:
    """A sampler that proposes the same trial over and over has made no choice."""
    hits = np.tile([[1.0] * 12 + [0.0] * 8], (64, 1))
    assert corrected(of_hits(hits, np.arange(64), 200)) == (0.6, 0.6)


def test_a_figure_gets_no_better_than_measured_in_its_own_direction() -> None:
    random = np.random.default_rng(0)
    measured, drawn = np.array([1.0, 1.1]), 1.0 + random.normal(0, 0.3, (400, 2))
    candidates = Candidates(np.arange(2), {"mae": measured}, {"mae": drawn})
    (figures,) = expected(candidates, np.array([0]), chosen(candidates, (), "mae", 1), ["mae"])
    assert figures["mae"].value > 1.0  # an error that was chosen for being small is expected to be larger
    unlucky = Candidates(np.arange(2), {"mae": measured}, {"mae": np.tile([1.0, 1.6], (400, 1))})
    (figures,) = expected(unlucky, np.array([0]), np.ones((400, 1), dtype=np.int64), ["mae"])
    assert figures["mae"].value == 1.0


def test_each_draw_orders_as_the_leaderboard_does() -> None:
    """Criteria first, then the objective; a trial counts with its best epoch; ties go to the earlier candidate."""
    drawn = {
        KEY: np.array([[0.9, 0.5, 0.8, 0.2], [0.3, 0.6, 0.6, 0.1]]),
        "accuracy": np.array([[0.7, 0.9, 0.9, 0.9], [0.9, 0.9, 0.9, 0.2]]),
    }
    candidates = Candidates(np.array([0, 0, 1, 2]), {key: values[0] for key, values in drawn.items()}, drawn)
    places = chosen(candidates, [parse("accuracy >= 0.8")], KEY, 3)
    assert places.tolist() == [[2, 1, 3], [1, 2, 3]]


def test_redrawn_rows_keep_the_classes_and_give_every_metric() -> None:
    true = np.repeat([0, 1], [30, 7])
    predictions = Predictions(np.arange(37), true, np.where(np.arange(37) % 5 == 0, 1 - true, true))
    redraws = Redraws(true, 4000)
    assert redraws.weights[:, :30].sum(axis=1) == pytest.approx(30.0)
    assert redraws.weights[:, 30:].sum(axis=1) == pytest.approx(7.0)
    drawn = redraws.values(predictions, LABELS, {"recall", "f1", "macro_f1", "accuracy"})
    measured = evaluate(predictions, LABELS)
    assert {key: np.mean(values) for key, values in drawn.items()} == pytest.approx(
        {key: measured[key] for key in drawn}, abs=0.02
    )
    # As a mean of 7 rows has: p (1 - p) / (7 - 1).
    recall = measured[KEY]
    assert np.var(drawn[KEY]) == pytest.approx(recall * (1 - recall) / 6, rel=0.1)


def test_a_class_of_one_row_has_nothing_to_redraw() -> None:
    assert Redraws(np.array([0, 0, 0, 1]), 50).weights[:, 3].tolist() == [1.0] * 50


def test_a_figure_is_less_sure_where_the_luck_of_the_choice_varies_more() -> None:
    """On half of the draws another trial is chosen, of three times the noise."""
    signs = np.array([1.0, -1.0, 1.0, -1.0])
    drawn = np.column_stack([0.5 + 0.1 * signs, 0.5 + 0.3 * signs])
    candidates = Candidates(np.arange(2), {"f1[rare]": np.array([0.5, 0.5])}, {"f1[rare]": drawn})
    redrawn = np.array([[0], [0], [1], [1]])
    (figures,) = expected(candidates, np.array([0]), redrawn, ["f1[rare]"])
    # The mean of 0.1² and 0.3² over 0.1².
    assert figures["f1[rare]"].wider == pytest.approx(np.sqrt(5))
    (alone,) = expected(candidates, np.array([1]), np.array([[0], [0], [1], [1]]), ["f1[rare]"])
    assert alone["f1[rare]"].wider == 1.0
    assert not Expected(0.5, 0.5).corrected
    assert Expected(0.5, 0.5, 1.5).corrected
