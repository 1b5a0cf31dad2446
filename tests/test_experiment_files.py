"""Every experiment that comes with the project can be read and says how it is launched."""

from pathlib import Path

import pytest

from analysis.predictions import LabelSpace
from search.experiment import load_experiment
from trainables.articles import write_articles
from trainables.config import TrialConfig
from trainables.prepare import load_splits

FILES = sorted((Path(__file__).parents[1] / "experiments").glob("*.yaml"))
DEFAULT_FIVE = {
    "training.oversampling.ratio",
    "training.class_weights.strength",
    "training.loss.gamma",
    "training.learning_rate",
    "model.lora.rank",
}


def test_the_three_experiments_are_there():
    assert {"technology_filter", "davidson_tiers", "clinc_out_of_scope"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_is_valid_and_its_header_launches_it(path):
    loaded = load_experiment(path)
    assert loaded.experiment.name == path.stem
    assert TrialConfig.model_validate(loaded.trial_tree({}))
    assert f"#   rarecall tune experiments/{path.name}" in path.read_text(encoding="utf-8").splitlines()
    assert loaded.experiment.full_space().keys() >= DEFAULT_FIVE


def test_the_embedded_experiment_fits_the_articles(tmp_path):
    write_articles(tmp_path / "articles.jsonl")
    path = next(path for path in FILES if path.stem == "technology_filter")
    loaded = load_experiment(path, {"data.path": str(tmp_path / "articles.jsonl")})
    data = load_splits(loaded.experiment, loaded.folder)
    labels: LabelSpace = data.task.label_space
    assert labels.minority == ("pilot", "early_commercial", "deployed_proven")
    # 10 % of 1,688 / 224 / 139 / 29, to the nearest row
    assert list(data.class_counts["validation"].values()) == [169, 22, 14, 3]
    assert list(data.class_counts["test"].values()) == [169, 22, 14, 3]
