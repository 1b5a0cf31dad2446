import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from rarecall.search.engine.preparation.known_points import POINTS, known_points, own_origin

RATIO, STRENGTH = "training.oversampling.ratio", "training.class_weights.strength"
SCHEME, GAMMA = "training.class_weights.scheme", "training.loss.gamma"
RATE, SAMPLER = "training.learning_rate", "training.weighted_sampling.strength"
LOSS, TAU = "training.loss.name", "training.loss.tau"
SPACE = {
    RATIO: FloatDistribution(0.0, 1.0),
    STRENGTH: FloatDistribution(0.0, 1.0),
    GAMMA: FloatDistribution(0.0, 3.0),
    RATE: FloatDistribution(1e-5, 1e-3, log=True),
}
OWN = {RATIO: 0.0, STRENGTH: 0.0, GAMMA: 0.0, RATE: 2e-4, SAMPLER: 0.0, SCHEME: "power", LOSS: "focal", TAU: None}


def found(space=SPACE, own=OWN, trials=100):
    return {one.name: dict(one.params) for one in known_points(space, own, trials)}


def test_the_default_space_gets_what_the_systems_use_with_the_rest_as_the_experiment_has_it():
    assert found() == {
        "oversampling 0.2, focal 2": {RATIO: 0.2, STRENGTH: 0.0, GAMMA: 2.0, RATE: 2e-4},
        "inverse weights, focal 2": {RATIO: 0.0, STRENGTH: 1.0, GAMMA: 2.0, RATE: 2e-4},
        "balanced weights": {RATIO: 0.0, STRENGTH: 1.0, GAMMA: 0.0, RATE: 2e-4},
        "oversampling 0.3, weights": {RATIO: 0.3, STRENGTH: 1.0, GAMMA: 0.0, RATE: 2e-4},
    }  # "no mitigation" is the experiment itself; there is no sampler and no logit adjustment in this space


def test_no_mitigation_is_tried_where_the_experiment_has_one():
    own = {**OWN, RATIO: 0.5, GAMMA: 1.0}
    assert found(own=own)["no mitigation"] == {RATIO: 0.0, STRENGTH: 0.0, GAMMA: 0.0, RATE: 2e-4}
    # One that cannot be switched off makes it another point.
    assert "no mitigation" not in found(own={**own, SAMPLER: 1.0})


def test_own_settings_without_mitigation_are_the_baseline_themselves():
    assert own_origin(SPACE, OWN) == "own: no mitigation"
    assert own_origin(SPACE, {**OWN, GAMMA: 1.0}) == "own"
    # The sampler stays on whatever the space says.
    assert own_origin(SPACE, {**OWN, SAMPLER: 1.0}) == "own"


@pytest.mark.parametrize(("trials", "count"), [(3, 0), (4, 1), (8, 2), (16, 4), (100, 4)])
def test_at_most_a_quarter_of_the_trials(trials, count):
    assert len(found(trials=trials)) == count


def test_values_are_moved_into_their_range_and_what_becomes_equal_comes_once():
    space = {**SPACE, RATIO: FloatDistribution(0.02, 0.1), GAMMA: FloatDistribution(0.5, 1.0)}
    points = found(space, {**OWN, RATIO: 0.05, GAMMA: 0.7})
    assert points["oversampling 0.2, focal 2"] == {RATIO: 0.1, STRENGTH: 0.0, GAMMA: 1.0, RATE: 2e-4}
    assert points["inverse weights, focal 2"] == {RATIO: 0.02, STRENGTH: 1.0, GAMMA: 1.0, RATE: 2e-4}
    only_weights = {STRENGTH: FloatDistribution(0.0, 1.0)}
    # Focal 2 and both ratios cannot be set, and balanced weights are all that is left.
    assert found(only_weights) == {"balanced weights": {STRENGTH: 1.0}}


def test_schemes_samplers_and_losses_among_choices():
    space = {
        SCHEME: CategoricalDistribution(["none", "balanced", "effective_number"]),
        SAMPLER: FloatDistribution(0.0, 1.0),
        LOSS: CategoricalDistribution(["focal", "logit_adjusted"]),
        TAU: FloatDistribution(0.2, 1.5),
    }
    points = found(space, {**OWN, SCHEME: "effective_number"})
    assert points["no mitigation"] == {SCHEME: "none", SAMPLER: 0.0, LOSS: "focal"}
    assert points["weighted sampling"] == {SCHEME: "none", SAMPLER: 1.0, LOSS: "focal"}
    assert points["balanced weights"] == {SCHEME: "balanced", SAMPLER: 0.0, LOSS: "focal"}
    assert points["logit adjustment"] == {SCHEME: "none", SAMPLER: 0.0, LOSS: "logit_adjusted", TAU: 1.0}
    # `power` with its strength is a way to weights too.
    power = {SCHEME: CategoricalDistribution(["none", "power"]), STRENGTH: FloatDistribution(0.0, 1.0)}
    assert found(power)["balanced weights"] == {SCHEME: "power", STRENGTH: 1.0}


def test_every_point_can_be_tried_somewhere():
    space = {
        **SPACE,
        SAMPLER: FloatDistribution(0.0, 1.0),
        LOSS: CategoricalDistribution(["focal", "logit_adjusted"]),
        TAU: FloatDistribution(0.0, 1.5),
    }
    assert found(space, {**OWN, RATIO: 0.7}).keys() == POINTS.keys()
