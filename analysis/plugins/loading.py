"""Plugins imported: those of an experiment in the driver, and the same ones in any other process.

A process keeps what it has imported, since what a module registers cannot be taken back.
"""

import hashlib
import importlib
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

from rarecall.analysis.errors import Fault, InputError
from rarecall.analysis.plugins.plugin import Plugin, is_file, module_of, read_file

GROUP = "rarecall.plugins"
KEY = "plugins"

_loaded: dict[str, Plugin] = {}


def load(names: Sequence[str], folder: Path) -> tuple[Plugin, ...]:
    """Import the plugins of an experiment, and before them those that installed packages name in the entry-point group.

    names: modules, or files relative to `folder`. Gives all of them, as `in_force` does later.

    Raises:
        InputError: every plugin that cannot be found or imported, with file, line and cause, or two of the same name.
    """
    wanted, faults = _wanted(names, folder)
    faults += _import_all(wanted)
    if faults:
        raise InputError(KEY, faults)
    return in_force(names)


def install(plugins: Iterable[Plugin]) -> None:
    """Import plugins of another process in this one: files from the text that came with them, modules by name.

    Raises:
        InputError: a module is not installed here or is another version than there, or an import fails.
    """
    if faults := _import_all(plugins):
        raise InputError(KEY, faults)


def in_force(names: Iterable[str]) -> tuple[Plugin, ...]:
    """The plugins that an experiment with these names uses in this process, which has imported them."""
    modules = dict.fromkeys([*automatic(), *map(module_of, names)])
    return tuple(_loaded[module] for module in modules if module in _loaded)


def loaded(module: str) -> Plugin | None:
    """The plugin that became this module in this process, None where there is none."""
    return _loaded.get(module)


def automatic() -> list[str]:
    """Modules that installed packages name in the entry-point group."""
    return sorted({entry.module for entry in entry_points(group=GROUP)})


def _wanted(names: Sequence[str], folder: Path) -> tuple[list[Plugin], list[Fault]]:
    """What is to be imported, and what is wrong with the names."""
    faults: list[Fault] = []
    wanted = [Plugin(name, "", automatic=True) for name in automatic()]
    modules = [module_of(name) for name in names]
    for number, name in enumerate(names):
        where = f"{KEY}[{number}]"
        if modules[number] in modules[:number]:
            faults.append(Fault(where, "must have a name of its own among the plugins", repr(name)))
        elif not is_file(name):
            wanted.append(Plugin(name, ""))
        else:
            try:
                wanted.append(read_file(folder / name))
            except (OSError, UnicodeDecodeError) as error:
                rule = "must be a file of Python beside the experiment, or a module's name"
                faults.append(Fault(where, rule, f"{name!r}: {error}"))
    return wanted, faults


def _import_all(plugins: Iterable[Plugin]) -> list[Fault]:
    return [fault for plugin in plugins for fault in _import(plugin)]


def _import(plugin: Plugin) -> Iterator[Fault]:
    """Import one plugin, once; what is wrong with it. Without a hash it is whatever version is installed."""
    known = _loaded.get(plugin.module)
    if known is None:
        try:
            module = importlib.import_module(plugin.name) if plugin.text is None else _executed(plugin)
        except Exception as failure:
            yield _fault_of(plugin, failure)
            return
        known = replace(plugin, sha256=plugin.sha256 if plugin.text is not None else _hash_of(module))
        _loaded[plugin.module] = known
    if plugin.sha256 and plugin.sha256 != known.sha256:
        yield _other_version(plugin)


def _executed(plugin: Plugin) -> ModuleType:
    """The module that a file becomes."""
    module = ModuleType(plugin.module)
    module.__file__ = plugin.origin
    sys.modules[plugin.module] = module  # before it runs: dataclasses look up their own module
    try:
        exec(compile(plugin.text or "", plugin.origin or plugin.name, "exec"), module.__dict__)  # a plugin is code
    except BaseException:
        del sys.modules[plugin.module]
        raise
    return module


def _hash_of(module: ModuleType) -> str:
    """SHA-256 of a module's source, empty for one without a file."""
    path = Path(module.__file__ or "")
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _other_version(plugin: Plugin) -> Fault:
    rule = "must be the version that is in use already"
    remedy = "start a new process, or a new kernel" if plugin.text is not None else "install the same on every machine"
    return Fault(plugin.origin or plugin.name, rule, f"another with SHA-256 {plugin.sha256[:12]}…", remedy)


def _fault_of(plugin: Plugin, failure: Exception) -> Fault:
    """File, line and cause of an import that failed."""
    cause = f"{type(failure).__name__}: {failure}"
    if isinstance(failure, ModuleNotFoundError) and failure.name and f"{plugin.name}.".startswith(f"{failure.name}."):
        remedy = "install the package on every machine of the cluster, or name a file such as ./my_metrics.py"
        return Fault(f"{KEY}: {plugin.name}", "must be a module that can be imported here", cause, remedy)
    return Fault(_place(plugin, failure), "the plugin must be importable", cause)


def _place(plugin: Plugin, failure: Exception) -> str:
    if isinstance(failure, SyntaxError) and failure.filename:
        return f"{failure.filename}:{failure.lineno}"
    frames = [frame for frame in traceback.extract_tb(failure.__traceback__) if frame.filename != __file__]
    own = [frame for frame in frames if frame.filename == plugin.origin or "importlib" not in frame.filename]
    last = next((frame for frame in reversed(own) if frame.filename == plugin.origin), own[-1] if own else None)
    return f"{last.filename}:{last.lineno}" if last else plugin.name
