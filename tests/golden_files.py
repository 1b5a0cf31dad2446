"""The golden files of earlier versions, copied to where a test may use them."""

import shutil
from pathlib import Path

from rarecall.trainables.models.minilm import minilm_folder

GOLDEN = Path(__file__).parent / "golden" / "cb77611"
MADE_IN = "/tmp/gold"


def copy_golden(folder):
    """A copy below `folder` whose paths lead to itself, as if it had been made there."""
    copy = folder / GOLDEN.name
    shutil.copytree(GOLDEN, copy)
    for path in [*copy.rglob("experiment.yaml"), *copy.rglob("adapter_config.json")]:
        path.write_text(path.read_text().replace(MADE_IN, str(copy)))
    (copy / "exported_adapter" / "base" / "model.safetensors").symlink_to(minilm_folder() / "model.safetensors")
    return copy
