"""Tiny models are built from nothing: into a cache folder that holds none yet."""

import pytest
from transformers import AutoConfig

from rarecall.analysis.errors import InputError
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import load_processor, takes_images
from rarecall.trainables.models.tiny import BUILDERS, tiny_folder


@pytest.mark.parametrize("name", sorted(BUILDERS))
def test_every_tiny_model_is_built_into_an_empty_cache(tmp_path, monkeypatch, name):
    monkeypatch.setenv("RARECALL_CACHE", str(tmp_path / "cache"))
    folder = tiny_folder(name)
    assert (folder / "model.safetensors").stat().st_size > 100_000
    assert takes_images(AutoConfig.from_pretrained(folder)) == (name == "tiny-vit")
    assert load_processor(BaseModel(name, str(folder), portable=False)) is not None
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [folder.name]  # nothing half-written


def test_a_second_build_gives_the_same_weights(tmp_path, monkeypatch):
    weights = []
    for cache in ("one", "two"):
        monkeypatch.setenv("RARECALL_CACHE", str(tmp_path / cache))
        weights.append((tiny_folder("tiny-vit") / "model.safetensors").read_bytes())
    assert weights[0] == weights[1]


def test_an_unknown_name_is_refused_with_those_that_exist():
    with pytest.raises(InputError, match=r"must be one of tiny-bert, .*tiny-vit.*'tiny-gpt'"):
        tiny_folder("tiny-gpt")
