"""Plugins of a run or an export: code that came with a folder, which is run only where the user asked for it.

Asked for are plugins that an experiment of the user's own names; a search remembers them, so that the runs that it made
can be read. All else takes `--trust-plugins`.
"""

import contextlib
import os
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from rarecall.analysis.errors import Fault, InputError, RunError
from rarecall.analysis.plugins.loading import install, load, loaded
from rarecall.analysis.plugins.plugin import FOLDER, Plugin, is_file, module_of, read_file

# Modules of this process that came with folders.
_from_folders: set[str] = set()
_trusted: ContextVar[bool] = ContextVar("trusted", default=False)


@contextlib.contextmanager
def trusting(trusted: bool = True) -> Iterator[None]:
    """While this lasts, plugins of folders are imported without being known."""
    token = _trusted.set(trusted)
    try:
        yield
    finally:
        _trusted.reset(token)


def remember(plugins: Iterable[Plugin]) -> None:
    """Remember plugins that the user's own experiment named: files by their hash, modules by their name."""
    new = {plugin.identity for plugin in plugins} - _remembered()
    with contextlib.suppress(OSError):  # a home that cannot be written: the user is asked again
        _memory().parent.mkdir(parents=True, exist_ok=True)
        with _memory().open("a", encoding="ascii") as file:
            file.writelines(f"{one}\n" for one in sorted(new))


def load_stored(folder: Path, entries: Iterable[Mapping[str, Any]], *, known: bool) -> None:
    """Import the plugins that a folder names, unless this process has imported them.

    entries: as `Plugin.plain` gives them, or with a name alone. known: whether it will do that they are remembered, as
    for the user's own runs.

    Raises:
        RunError: a plugin that was not asked for, all of them named.
        InputError: one that is gone or cannot be imported.
    """
    entries = list(entries)
    if any(entry.get("automatic") for entry in entries):
        load((), folder)  # what is installed here is no code of the folder
    wanted = [plugin for entry in entries if (plugin := _of_entry(folder, entry)) is not None]
    remembered = _remembered() if known else set()
    unknown = [one.kept_as for one in wanted if one.identity not in remembered and loaded(one.module) is None]
    if unknown and not _trusted.get():
        raise RunError(
            f"{folder}: was made with plugins, code that is not run unasked: {', '.join(unknown)} (look at them, then "
            "add --trust-plugins)"
        )
    install(wanted)
    _from_folders.update(plugin.module for plugin in wanted)


def _of_entry(folder: Path, entry: Mapping[str, Any]) -> Plugin | None:
    """The plugin to import; None where it is there already, or is one that an installed package brings by itself."""
    name = str(entry["name"])
    there = loaded(module_of(name))
    if entry.get("automatic") or (there is not None and there.module not in _from_folders):
        return None  # what the user's own experiment named counts, also where it has changed since
    if not is_file(name):
        return Plugin(name, "")  # whatever version is installed now
    path = folder / FOLDER / Path(name).name  # never out of the folder
    try:
        return read_file(path)
    except (OSError, UnicodeDecodeError) as error:
        rule, remedy = "must hold the copy of a plugin that the folder names", "put it there again"
        raise InputError(str(folder), [Fault(str(path), rule, str(error), remedy)]) from None


def _remembered() -> set[str]:
    try:
        return set(_memory().read_text(encoding="ascii").split())
    except (OSError, UnicodeDecodeError):
        return set()


def _memory() -> Path:
    return Path(os.environ.get("RARECALL_CACHE", Path.home() / ".cache" / "rarecall")) / "plugins.txt"
