"""What an exported folder says of its own measurements."""

import json
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from rarecall.analysis.criteria.decision import Decision, Outcome
from rarecall.trainables.exported.names import METRICS_FILE


def measured_facts(folder: Path) -> dict[str, Any]:
    """The content of `metrics.json`; empty where there is none that can be read."""
    try:
        found = json.loads((folder / METRICS_FILE).read_text(encoding="utf-8"))
        json.dumps(found, ensure_ascii=False).encode()  # halves of surrogate pairs are no text
    except (OSError, ValueError, RecursionError):
        return {}
    return _mapping(found)


def known_decision(folder: Path) -> Decision | None:
    """Whether to ship the model, by the test split that the export opened; None where nothing decided."""
    told = _mapping(measured_facts(folder).get("decision"))
    outcome = next((one for one in get_args(Outcome) if one == told.get("outcome")), None)
    return Decision(outcome, str(told.get("sentence", ""))) if outcome else None


def known_facts(folder: Path) -> pd.DataFrame:
    """One row per metric that the export measured, with its value on validation and on test rows."""
    facts = measured_facts(folder)
    parts = {name: _mapping(facts.get(name)) for name in ("validation", "test")}
    keys = dict.fromkeys(key for values in parts.values() for key in values)
    rows = [{"metric": key, **{name: values.get(key) for name, values in parts.items()}} for key in keys]
    return pd.DataFrame(rows, columns=["metric", "validation", "test"])


def _mapping(value: object) -> dict[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, dict) else {}
