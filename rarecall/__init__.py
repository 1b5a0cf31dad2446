"""rarecall finds the fine-tuning configuration that recalls the rare classes without giving up the common ones.

    import rarecall

    run = rarecall.tune("experiment.yaml")           # or a dict, with data=DataFrame
    run.leaderboard()
    model = run.export("threat-model")
    model.predict(["is anybody there?"])

Names are loaded when they are first used: reading a finished run needs neither torch nor Ray.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rarecall.analysis.errors import InputError, RarecallError, RunError
    from rarecall.drafting import init
    from rarecall.evaluation import Evaluation, evaluate
    from rarecall.extensions import (
        register_loss,
        register_metric,
        register_sampler,
        register_task,
        register_weighting,
    )
    from rarecall.model import Model, load_model
    from rarecall.run import Run, load_run
    from rarecall.search.experiment.schema import Experiment
    from rarecall.searching import train, tune

# Where each public name is defined.
_PLACES = {
    "Evaluation": "rarecall.evaluation",
    "Experiment": "rarecall.search.experiment.schema",
    "InputError": "rarecall.analysis.errors",
    "Model": "rarecall.model",
    "RarecallError": "rarecall.analysis.errors",
    "Run": "rarecall.run",
    "RunError": "rarecall.analysis.errors",
    "evaluate": "rarecall.evaluation",
    "init": "rarecall.drafting",
    "load_model": "rarecall.model",
    "load_run": "rarecall.run",
    "register_loss": "rarecall.extensions",
    "register_metric": "rarecall.extensions",
    "register_sampler": "rarecall.extensions",
    "register_task": "rarecall.extensions",
    "register_weighting": "rarecall.extensions",
    "train": "rarecall.searching",
    "tune": "rarecall.searching",
}

__all__ = [
    "Evaluation",
    "Experiment",
    "InputError",
    "Model",
    "RarecallError",
    "Run",
    "RunError",
    "evaluate",
    "init",
    "load_model",
    "load_run",
    "register_loss",
    "register_metric",
    "register_sampler",
    "register_task",
    "register_weighting",
    "train",
    "tune",
]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *_PLACES])
