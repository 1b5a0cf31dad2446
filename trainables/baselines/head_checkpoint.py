"""A head on frozen features as a checkpoint that is exported like that of any trial."""

from pathlib import Path
from typing import Any

import numpy as np
import torch

from rarecall.analysis.settings import ADAPTER, FIT_RULE, LINK, LOSS_NAME
from rarecall.trainables.baselines.linear import LinearHead
from rarecall.trainables.models import checkpoint
from rarecall.trainables.models.bases import BaseModel
from rarecall.trainables.models.classifier import ClassifierPool
from rarecall.trainables.models.frozen.features import Features
from rarecall.trainables.models.frozen.linear_head import put_linear_head
from rarecall.trainables.models.manifest import write_manifest
from rarecall.trainables.tasks import Ordinal, Task


def head_params(task: Task) -> dict[str, Any]:
    """Settings by dotted key under which an experiment has a model of such a head. task: as the head does it."""
    params: dict[str, Any] = {ADAPTER: "head", FIT_RULE: True}
    # With another link comes another default loss; what the experiment has may not fit.
    return {**params, LINK: task.link, LOSS_NAME: None} if isinstance(task, Ordinal) else params


def write_head(
    folder: Path, base: BaseModel, task: Task, pad_id: int, head: LinearHead, features: Features, dtype: torch.dtype
) -> None:
    """Write the head of `base` that gives what `head` gives.

    features: of some rows [m, features], by which it is tried. dtype: in which all features were computed.

    Raises:
        ValueError: the base model's head cannot be such a linear model.
        OSError: the folder cannot be written.
    """
    model = ClassifierPool(base, task.output_names, pad_id).head_alone(0)
    weight, bias = (torch.from_numpy(np.asarray(one, dtype=np.float64)) for one in (head.weight, head.bias))
    put_linear_head(model, weight, bias, torch.from_numpy(features))
    folder.mkdir(parents=True, exist_ok=True)
    checkpoint.save_model(folder, model)
    checkpoint.write_precision(folder, str(dtype).removeprefix("torch."))
    write_manifest(folder)
