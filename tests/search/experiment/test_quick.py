from pathlib import Path

import pytest

from rarecall.search.experiment.quick import scaled_down
from rarecall.search.experiment.schema import load_experiment

EXPERIMENTS = Path(__file__).parents[3] / "experiments"


@pytest.fixture
def retina():
    """30 epochs, 10 trials, all rows."""
    return EXPERIMENTS / "retina_grades.yaml"


def test_a_quick_look_is_small_in_every_way_and_has_a_folder_of_its_own(retina):
    overrides = scaled_down(load_experiment(retina).experiment, quick=True, sample=None)
    experiment = load_experiment(retina, overrides).experiment
    assert experiment.name == "retina_grades-quick"
    assert (experiment.data.max_train_rows, experiment.training.epochs, experiment.search.trials) == (200, 3, 4)


def test_a_sample_changes_the_rows_alone(retina):
    whole = load_experiment(retina).experiment
    experiment = load_experiment(retina, scaled_down(whole, quick=False, sample=500)).experiment
    assert experiment.data.max_train_rows == 500
    assert experiment.training == whole.training
    # A look at a sample is not followed by a training on all rows.
    assert experiment.search == whole.search.model_copy(update={"refit": 0})


def test_a_sample_is_never_larger_than_the_experiment_allows(retina):
    small = load_experiment(retina, {"data.max_train_rows": 100, "training.epochs": 2}).experiment
    overrides = scaled_down(small, quick=True, sample=None)
    assert (overrides["data.max_train_rows"], overrides["training.epochs"]) == (100, 2)


def test_nothing_asked_for_is_nothing_changed(retina):
    assert scaled_down(load_experiment(retina).experiment, quick=False, sample=None) == {}
