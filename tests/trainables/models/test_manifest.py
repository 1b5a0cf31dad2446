import hashlib
import json

import pytest

from rarecall.analysis.errors import RunError
from rarecall.trainables.exported.writing import write_model
from rarecall.trainables.models.manifest import MANIFEST_FILE, damage, write_manifest


@pytest.fixture
def checkpoint(tmp_path):
    (tmp_path / "base").mkdir()
    (tmp_path / "base" / "config.json").write_text("{}")
    (tmp_path / "adapter.safetensors").write_bytes(bytes(2000))
    write_manifest(tmp_path)
    return tmp_path


def test_what_was_written_is_whole(checkpoint):
    listed = json.loads((checkpoint / MANIFEST_FILE).read_text())
    assert listed == {
        "adapter.safetensors": {"bytes": 2000, "sha256": hashlib.sha256(bytes(2000)).hexdigest()},
        "base/config.json": {"bytes": 2, "sha256": hashlib.sha256(b"{}").hexdigest()},
    }
    assert damage(checkpoint) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda folder: (folder / "base" / "config.json").unlink(), "lacks config.json"),
        (
            lambda folder: (folder / "adapter.safetensors").write_bytes(bytes(1999)),
            "is damaged: adapter.safetensors has 1,999 of 2,000 bytes",
        ),
        (
            lambda folder: (folder / "adapter.safetensors").write_bytes(bytes(1999) + b"1"),
            "is damaged: adapter.safetensors is not what was written",
        ),
        (lambda folder: (folder / MANIFEST_FILE).write_text('{"adapter'), "cannot be read: Unterminated string"),
        (lambda folder: (folder / MANIFEST_FILE).write_text("[]"), "cannot be read: 'list' object"),
    ],
    ids=["lacks", "short", "changed", "list cut", "no list"],
)
def test_damage_is_told(checkpoint, change, told):
    change(checkpoint)
    assert damage(checkpoint).startswith(told)


def test_a_checkpoint_that_is_gone_is_damaged_and_one_without_a_list_is_not(checkpoint):
    (checkpoint / MANIFEST_FILE).unlink()
    assert damage(checkpoint) == ""
    assert damage(checkpoint / "never") == "is gone"


def test_a_damaged_checkpoint_is_not_exported(checkpoint, tmp_path_factory):
    (checkpoint / "adapter.safetensors").write_bytes(bytes(10))
    output = tmp_path_factory.mktemp("export") / "exported"
    # It is looked at before the base model is loaded.
    with pytest.raises(RunError) as caught:
        write_model(output, None, None, None, checkpoint)
    assert str(caught.value) == (
        f"{checkpoint}: the checkpoint is damaged: adapter.safetensors has 10 of 2,000 bytes "
        "(export another with --trial, or train this one again)"
    )
    assert not output.exists()
