"""The `run` row of a ledger: what a search is, and what it ran with."""

import importlib.metadata
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rarecall.analysis.plugins.loading import in_force
from rarecall.search.engine.preparation.goals import bands_of
from rarecall.search.experiment.schema import Experiment
from rarecall.trainables.data.prepared import PreparedData

PROVENANCE = ("rarecall", "ray", "torch", "transformers", "peft", "optuna", "scikit-learn")


def header(experiment: Experiment, data: PreparedData) -> dict[str, Any]:
    """The `run` row of a ledger."""
    return {
        "kind": "run",
        "run_id": uuid.uuid4().hex,
        "name": experiment.name,
        "criteria": list(experiment.criteria),
        "bands": bands_of(experiment),
        "objective": experiment.objective,
        "second_objective": experiment.search.second_objective,
        "labels": asdict(data.task.label_space),
        "class_counts": data.class_counts,
        "train_rows": len(data.train),
        "data_hash": data.data_hash,
        "versions": versions(PROVENANCE),
        "plugins": [plugin.plain() for plugin in in_force(experiment.plugins)],
        "trials_asked": experiment.search.trials,
        "seed": experiment.search.seed,
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """Installed versions, for the record."""
    return {name: importlib.metadata.version(name) for name in packages}
