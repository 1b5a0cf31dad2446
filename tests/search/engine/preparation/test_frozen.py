import io

import numpy as np
import pytest
import yaml
from rich.console import Console

from rarecall.search.engine.preparation import frozen_states as frozen
from rarecall.search.engine.preparation.frozen_states import with_frozen_states
from rarecall.search.experiment.schema import load_experiment
from rarecall.trainables.data.prepare import prepare
from rarecall.trainables.models.bases import resolve_base
from rarecall.trainables.models.classifier import load_processor

TEXTS = {"common": "the sensor is planned for next year", "rare": "the sensor runs in every field"}
HIDDEN = 384  # of MiniLM
PATCHES, WIDTH = 49, 64  # of the tiny ViT


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
        data = prepare(experiment, load_processor(base), base=tmp_path)
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


def test_a_cache_that_does_not_fit_the_memory_is_told_and_left_out(given, monkeypatch):
    class Memory:
        available = 100_000

    monkeypatch.setattr(frozen.psutil, "virtual_memory", Memory)
    _, found, told = given(lora={"layers": "last 1"})
    assert found.train.states is None
    assert "twice that for a moment, and 0.0 GB are free" in told


def test_in_bf16_they_take_half(given):
    _, found, _ = given(frozen_cache_precision="bf16", lora={"layers": "last 2"})
    _, whole, _ = given(lora={"layers": "last 2"})
    assert (found.train.states.dtype, found.train.states.nbytes) == (np.uint16, whole.train.states.nbytes / 2)
    # The bits of a bfloat16 are the first 16 of a float32.
    values = (found.train.states.astype(np.uint32) << 16).view(np.float32)
    np.testing.assert_allclose(values, whole.train.states, rtol=2**-8)


@pytest.mark.parametrize("varied", [{}, {"flip": "both"}, {"turn": True}, {"shift": 0.1}])
def test_images_have_states_unless_they_are_varied(tmp_path, varied):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (20, 28, 28, 3)).astype(np.uint8)
    np.savez(tmp_path / "rows.npz", image=images, label=np.array(["common", "rare"] * 10))
    tree = {
        "name": "small",
        "data": {"path": "rows.npz", "image": "image", "label": "label"},
        "task": {"kind": "multiclass", "minority": ["rare"]},
        "model": {"base": "tiny-vit", "lora": {"layers": "last 1"}},
        "training": {"augmentation": varied},
    }
    (tmp_path / "experiment.yaml").write_text(yaml.safe_dump(tree))
    experiment, base = load_experiment(tmp_path / "experiment.yaml").experiment, resolve_base("tiny-vit")
    data, told = prepare(experiment, load_processor(base), base=tmp_path), io.StringIO()
    found = with_frozen_states(data, experiment, base, Console(file=told, width=200))
    if not varied:
        assert found.train.states.shape == (len(data.train), (PATCHES + 1) * WIDTH)
        assert told.getvalue() == ""
    else:
        assert found.train.states is None
        assert "images that are varied (training.augmentation) differ from epoch to epoch" in told.getvalue()
