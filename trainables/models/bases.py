"""Base models by name: the embedded `minilm`, a tiny one, a local folder, or a hub name."""

from dataclasses import dataclass
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError
from rarecall.trainables.models.minilm import minilm_folder

TINY_PREFIX = "tiny-"


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
        from rarecall.trainables.models.tiny import tiny_folder  # noqa: PLC0415

        return BaseModel(name, str(tiny_folder(name)), portable=False)
    local = (folder or Path()) / name
    if local.is_dir():
        return BaseModel(name, str(local.resolve()), portable=False)
    if name.startswith((".", "/", "~")):
        raise InputError("model.base", [Fault("model.base", "must be a folder that exists", repr(name))])
    return BaseModel(name, name, portable=True)
