"""The key `plugins` of an experiment: what it names is imported before anything is checked against it."""

from pathlib import Path
from typing import Any

from rarecall.analysis.plugins.loading import load
from rarecall.analysis.plugins.stored import load_stored
from rarecall.analysis.runs.ledger import LEDGER_NAME
from rarecall.trainables.exported.names import DECISION_RULE_FILE


def load_plugins(names: Any, folder: Path) -> None:
    """Import what the key names: modules, or files relative to `folder`, which holds the experiment.

    In a run or an export, whose experiment may be somebody else's, only as `analysis.plugins.stored` allows. What is no
    list of names is left to the check of the experiment.

    Raises:
        InputError: plugins that cannot be imported.
        RunError: plugins of a folder that the user has not asked for.
    """
    given = [names] if isinstance(names, str) else names
    known = [name for name in given if isinstance(name, str)] if isinstance(given, list | tuple) else []
    of_run = (folder / LEDGER_NAME).is_file()
    if of_run or (folder / DECISION_RULE_FILE).is_file():
        load_stored(folder, [{"name": name} for name in known], known=of_run)
        known = []
    load(known, folder)
