"""The page on extensions: its blocks of Python are a plugin that does what the page says."""

import re

import numpy as np
import pytest
import yaml

from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.data.prepare import load_splits
from rarecall.trainables.training.mitigation import mitigation
from tests.import_graph import ROOT
from tests.plugin_files import forgetful

__all__ = ["forgetful"]
PAGE = (ROOT / "docs" / "extensions.md").read_text(encoding="utf-8")
ROWS = ["text,severity", *(f"text {i},{9 if i % 4 == 0 else 2}" for i in range(80))]


@pytest.fixture
def loaded(tmp_path, forgetful):
    """The experiment of the page, on a few rows."""
    blocks = re.findall(r"```(\w+)\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_parts.py").write_text("\n".join(text for kind, text in blocks if kind == "python"))
    (tmp_path / "rows.csv").write_text("\n".join(ROWS))
    tree = yaml.safe_load(next(text for kind, text in blocks if kind == "yaml"))
    tree["plugins"].remove("my_project.metrics")
    data = {"path": "rows.csv", "split": {"validation": 0.25, "test": 0.25}}
    tree |= {"name": "page", "data": data, "task": {"kind": "banded", "column": "severity"}}
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(tree))
    return load_experiment(tmp_path / "experiment.yaml")


def test_the_experiment_of_the_page_uses_all_five(loaded):
    data = load_splits(loaded.experiment, loaded.folder)
    assert data.class_counts["train"] == {"calm": 30, "urgent": 10}
    amounts = mitigation(data.train.classes, data.task.label_space, loaded.experiment.training)
    assert amounts.sampled.tolist() == [24, 10]  # keep 0.8 of 30
    assert amounts.weights.tolist() == [1.0, 2.4]  # 24 / max(10, 5)
    predictions = Predictions(np.arange(4), np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    assert evaluate(predictions, data.task.label_space)["negative_recall[urgent]"] == pytest.approx(2 / 3)
    assert loaded.experiment.settings()["training"]["loss"] == {"name": "smoothed", "share": 0.1}
    assert {"training.loss.share", "training.thinning.keep"} < set(loaded.experiment.full_space())
    assert [plugin.name for plugin in loaded.plugins] == ["my_parts.py"]
