"""How much of the differences between heads a parameter explains, by hand."""

import numpy as np
import pytest

from rarecall.trainables.screen.importance import importances


def test_a_choice_that_decides_all_explains_all():
    params = [{"scheme": name} for name in ("none", "balanced") * 10]
    assert importances(params, np.array([0.0, 1.0] * 10)) == {"scheme": 1.0}


def test_what_chance_would_explain_is_taken_off():
    """Parts {1, 2, 3} and {2, 3, 4}: 2 + 2 within them, with 6 - 2 degrees of freedom, 5.5 in all, with 5."""
    params = [{"loss": "a"}] * 3 + [{"loss": "b"}] * 3
    found = importances(params, np.array([1.0, 2.0, 3.0, 2.0, 3.0, 4.0]))
    assert found["loss"] == pytest.approx(1 - 1.0 / 1.1)


def test_numbers_are_taken_in_parts_and_noise_explains_nothing():
    rng = np.random.default_rng(0)
    gamma, ratio = rng.random(800), rng.random(800)
    params = [{"gamma": one, "ratio": other} for one, other in zip(gamma.tolist(), ratio.tolist(), strict=True)]
    found = importances(params, (gamma - 0.5) ** 2)
    assert list(found) == ["gamma", "ratio"]
    assert found["gamma"] > 0.9
    assert found["ratio"] < 0.02


def test_a_parameter_of_some_rows_is_judged_by_them():
    params = [{"loss": "focal", "gamma": 0.0}, {"loss": "focal", "gamma": 2.0}, {"loss": "ldam"}] * 5
    found = importances(params, np.array([1.0, 0.0, 0.5] * 5))
    assert found["gamma"] == 1.0
    assert importances([{"gamma": 1.0}] * 4, np.arange(4.0)) == {"gamma": 0.0}
