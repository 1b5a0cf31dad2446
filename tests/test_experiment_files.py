"""Every experiment that comes with the project can be read and says how it is launched."""

from pathlib import Path

import pytest

from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.config import TrialConfig
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.demo.articles import write_articles

FILES = sorted((Path(__file__).parents[1] / "experiments").glob("*.yaml"))
ALWAYS_SEARCHED = {"training.loss.gamma", "training.learning_rate"}
# One that evens out how often rows come, one that evens out how much they count.
MITIGATIONS = ({"training.oversampling.ratio", "training.weighted_sampling.strength"}, {"training.class_weights"})


def test_every_system_has_its_experiment():
    systems = {"technology_filter", "goemotions", "davidson_hate", "japanese_toxic", "emobank", "retina_grades"}
    assert systems | {"davidson_tiers", "clinc_out_of_scope"} <= {path.stem for path in FILES}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_an_experiment_is_valid_and_its_header_launches_it(path):
    loaded = load_experiment(path)
    assert loaded.experiment.name == path.stem
    assert TrialConfig.model_validate(loaded.trial_tree({}))
    assert f"#   rarecall tune experiments/{path.name}" in path.read_text(encoding="utf-8").splitlines()
    space = loaded.experiment.full_space().keys()
    assert space >= ALWAYS_SEARCHED
    assert all(any(key.startswith(tuple(mitigation)) for key in space) for mitigation in MITIGATIONS)


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
