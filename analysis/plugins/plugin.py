"""A plugin: a module by its name, or a file whose source travels to wherever it is needed."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

# Of the module that a file becomes, so that it hides no installed one.
PREFIX = "rarecall_plugin_"
# Of a run or an export: the copies of its file plugins.
FOLDER = "plugins"


@dataclass(frozen=True)
class Plugin:
    """name: of the module, or of the file without its folder. sha256: of the source. text: None for a module.

    automatic: whether an installed package named it in the entry-point group. origin: the path it was read from, for
    tracebacks.
    """

    name: str
    sha256: str
    text: str | None = None
    automatic: bool = False
    origin: str = field(default="", compare=False)

    @property
    def module(self) -> str:
        """Its name among the imported modules."""
        return self.name if self.text is None else module_of(self.name)

    @property
    def kept_as(self) -> str:
        """What names it in the experiment of a run or an export, which holds a copy of a file."""
        return self.name if self.text is None else f"{FOLDER}/{self.name}"

    @property
    def identity(self) -> str:
        """What a user who trusts it trusts: a source, or what is installed under a name."""
        return f"module:{self.name}" if self.text is None else self.sha256

    def plain(self) -> dict[str, Any]:
        """As the ledger has it."""
        return {"name": self.kept_as, "sha256": self.sha256, "automatic": self.automatic}


def module_of(name: str) -> str:
    """The module that a plugin becomes, by what names it in an experiment.

    >>> module_of("my_project.losses"), module_of("plugins/my-metrics.py")
    ('my_project.losses', 'rarecall_plugin_my_metrics')
    """
    return PREFIX + re.sub(r"\W", "_", Path(name).stem) if is_file(name) else name


def is_file(name: str) -> bool:
    """Whether a plugin is named as a file and not as a module."""
    return name.endswith(".py") or "/" in name


def read_file(path: Path) -> Plugin:
    """The plugin that a file is.

    Raises:
        OSError, UnicodeDecodeError: it cannot be read.
    """
    data = path.read_bytes()
    return Plugin(path.name, hashlib.sha256(data).hexdigest(), data.decode("utf-8"), origin=str(path))


def write_copies(plugins: Iterable[Plugin], folder: Path) -> None:
    """Keep the files among the plugins in a run or an export, so that the folder can be used elsewhere."""
    for plugin in plugins:
        if plugin.text is not None:
            path = folder / plugin.kept_as
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(plugin.text.encode())
