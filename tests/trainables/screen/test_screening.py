"""A screen finds the mitigation that makes the difference, by rows that it did not fit to."""

import numpy as np
import pytest

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.trainables.config import TrainingConfig
from rarecall.trainables.data.examples import Examples
from rarecall.trainables.screen.screening import Candidate, Held, screen
from rarecall.trainables.screen.stacked import HeadSettings
from rarecall.trainables.tasks import Multiclass

ROWS = 400


@pytest.fixture(scope="module")
def rows():
    classes = (np.arange(ROWS) % 10 == 0).astype(np.int64)
    return Examples(texts=[f"row {i // 2}" for i in range(ROWS)], rows=np.arange(ROWS), classes=classes)


@pytest.fixture(scope="module")
def features(rows):
    rng = np.random.default_rng(0)
    return (rng.normal(size=(ROWS, 4)) + 1.2 * rows.classes[:, None]).astype(np.float32)


def candidate(name, **training):
    return Candidate({"name": name}, HeadSettings(TrainingConfig.model_validate(training), 1e-3))


def test_equal_texts_stay_on_one_side(rows):
    held = Held.of(rows, seed=0)
    assert not {rows.texts[i] for i in held.inside} & {rows.texts[i] for i in held.outside}
    assert len(held.inside) + len(held.outside) == ROWS
    assert rows.classes[held.outside].sum() == pytest.approx(10, abs=2)


def test_weights_find_more_rare_rows_than_none(rows, features):
    task = Multiclass(LabelSpace(("common", "rare"), ("rare",)))
    tried = [candidate("none"), candidate("balanced", class_weights={"scheme": "balanced"})]
    found = screen(features, rows, task, Goal.of([], ["rare"]), tried)
    assert [one.candidate.params["name"] for one in found] == ["balanced", "none"]
    assert found[0].score > found[1].score + 0.1
    # Both rank the rows alike, which weights hardly change.
    assert found[0].quality == pytest.approx(found[1].quality, abs=0.05)


def test_a_fitted_rule_makes_up_for_the_weights(rows, features):
    task = Multiclass(LabelSpace(("common", "rare"), ("rare",)))
    rule = {"decision_rule": {"fit": True}}
    tried = [candidate("none", **rule), candidate("balanced", class_weights={"scheme": "balanced"}, **rule)]
    one, other = screen(features, rows, task, Goal.of([], ["rare"], "f1[rare]"), tried)
    assert one.score == pytest.approx(other.score, abs=0.1)
