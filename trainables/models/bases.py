"""Base models by name: the embedded `minilm`, a tiny one, a local folder, or a hub name."""

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.settings import BASE
from rarecall.trainables.models.minilm import minilm_folder

MINILM = "minilm"
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


def local_everywhere(base: BaseModel) -> bool:
    """Whether every machine with rarecall has the model, or can make it."""
    return base.name == MINILM or base.name.startswith(TINY_PREFIX)


def local_base(base: BaseModel, folder: Callable[[], Path] | None = None) -> BaseModel:
    """The base model on the machine where this is called, which need not be the one that resolved it.

    `minilm` and tiny models are made there. folder: where a local folder of the other machine has travelled to.

    Raises:
        InputError: as `resolve_base`, or a local folder that this machine does not have.
    """
    if local_everywhere(base):
        return resolve_base(base.name)
    if base.portable or Path(base.source).is_dir():
        return base
    if folder is None:
        rule, remedy = "must be a folder that every node sees", "put it on shared storage"
        raise InputError(BASE, [Fault(BASE, rule, repr(base.source), remedy)])
    return replace(base, source=str(folder()))


def resolve_base(name: str, folder: Path | None = None) -> BaseModel:
    """Find the base model called `name`; a relative local folder counts from `folder`.

    Raises:
        InputError: `minilm` is not installed or its weights are not the published ones, or no tiny model is called so.
    """
    if name == MINILM:
        return BaseModel(name, str(minilm_folder()), portable=False)
    if name.startswith(TINY_PREFIX):
        # Heavy, and seldom needed.
        from rarecall.trainables.models.tiny import tiny_folder  # noqa: PLC0415

        return BaseModel(name, str(tiny_folder(name)), portable=False)
    local = (folder or Path()) / name
    if local.is_dir():
        return BaseModel(name, str(_transformer_in(local.resolve())), portable=False)
    if name.startswith((".", "/", "~")):
        raise InputError(BASE, [Fault(BASE, "must be a folder that exists", repr(name))])
    return BaseModel(name, name, portable=True)


def _transformer_in(folder: Path) -> Path:
    """The model within a sentence-transformers folder whose first module has a folder of its own."""
    modules = folder / "modules.json"
    if (folder / "config.json").is_file() or not modules.is_file():
        return folder
    try:
        inner = (folder / str(json.loads(modules.read_text(encoding="utf-8"))[0]["path"])).resolve()
    except (OSError, ValueError, LookupError, TypeError):
        return folder
    return inner if inner.is_relative_to(folder) and inner.is_dir() else folder
