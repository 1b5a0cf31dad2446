import io

import numpy as np
import pytest
import yaml
from rich.console import Console

from search.experiment import load_experiment
from search.frozen import with_frozen_states
from trainables.bases import resolve_base
from trainables.models import load_tokenizer
from trainables.prepare import prepare

TEXTS = {"common": "the sensor is planned for next year", "rare": "the sensor runs in every field"}
HIDDEN = 384  # of MiniLM


@pytest.fixture
def given(tmp_path):
    rows = [f"{text} {number},{name}" for name, text in TEXTS.items() for number in range(10)]
    (tmp_path / "rows.csv").write_text("text,label\n" + "\n".join(rows) + "\n")

    def given(**model):
        tree = {
            "name": "small",
            "data": {"path": "rows.csv", "label": "label"},
            "task": {"kind": "multiclass", "minority": ["rare"]},
            "model": {"max_length": 16, **model},
        }
        (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(tree))
        experiment = load_experiment(tmp_path / "experiment.yaml").experiment
        base = resolve_base("minilm")
        data = prepare(experiment, load_tokenizer(base), base=tmp_path)
        told = io.StringIO()
        return data, with_frozen_states(data, experiment, base, Console(file=told, width=200)), told.getvalue()

    return given


def test_states_are_computed_for_training_and_validation_rows(given):
    data, found, told = given(lora={"layers": "last 2"})
    assert found.train.states.shape == (len(data.train.ids), HIDDEN)
    assert found.validation.states.shape == (len(data.validation.ids), HIDDEN)
    assert np.isfinite(found.train.states).all()
    assert "note:" not in told


@pytest.mark.parametrize(
    "model",
    [{}, {"adapter": "none", "lora": {"layers": "last 2"}}, {"frozen_cache_gb": 0, "lora": {"layers": "last 2"}}],
)
def test_nothing_is_computed_where_nothing_is_frozen_or_wanted(given, model):
    _, found, told = given(**model)
    assert found.train.states is None
    assert told == ""


def test_too_large_a_cache_is_told_and_left_out(given):
    _, found, told = given(frozen_cache_gb=1e-6, lora={"layers": "last 1"})
    assert found.train.states is None
    assert "model.frozen_cache_gb allows 1e-06" in told
