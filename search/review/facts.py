"""What an exported folder says of its own measurements."""

import json
from pathlib import Path
from typing import Any

import pandas as pd

from rarecall.analysis.criteria.decision import Decision
from rarecall.trainables.exported.names import METRICS_FILE


def measured_facts(folder: Path) -> dict[str, Any]:
    """The content of `metrics.json`; empty where there is none that can be read."""
    try:
        return dict(json.loads((folder / METRICS_FILE).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}


def known_decision(folder: Path) -> Decision | None:
    """Whether to ship the model, by the test split that the export opened; None where nothing decided."""
    told = measured_facts(folder).get("decision")
    return Decision(told["outcome"], told["sentence"]) if told else None


def known_facts(folder: Path) -> pd.DataFrame:
    """One row per metric that the export measured, with its value on validation and on test rows."""
    facts = measured_facts(folder)
    parts = {name: dict(facts.get(name) or {}) for name in ("validation", "test")}
    keys = dict.fromkeys(key for values in parts.values() for key in values)
    rows = [{"metric": key, **{name: values.get(key) for name, values in parts.items()}} for key in keys]
    return pd.DataFrame(rows, columns=["metric", "validation", "test"])
