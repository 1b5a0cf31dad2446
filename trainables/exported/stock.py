"""What makes an exported folder right in programs that know no decision rule: pipelines, ONNX Runtime, servers.

They take the highest output, or those above one half. Where a sum makes that decide as the rule does, it is in the bias
of the exported head, and `decision_rule.json` says so: rarecall takes it off again.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from rarecall.analysis.arrays import FloatArray
from rarecall.trainables.exported.names import DECISION_RULE_FILE
from rarecall.trainables.models.architectures import is_in_head
from rarecall.trainables.models.classifier import unwrapped
from rarecall.trainables.tasks import Task
from rarecall.trainables.tasks.protocol import Outputs

# Key of `decision_rule.json`.
HEAD_SHIFT = "head_shift"
# By target, what transformers calls it: which decides whether outputs become shares, probabilities or stay as they are.
PROBLEM_TYPES = {
    "classes": "single_label_classification",
    "labels": "multi_label_classification",
    "corn": "multi_label_classification",
    "cumulative": "multi_label_classification",
    "scores": "regression",
    "two_stage": "regression",
}


def set_problem_type(model: Any, task: Task) -> None:
    """Have the configuration that is written with the model say what its outputs are."""
    if task.target in PROBLEM_TYPES:
        unwrapped(model).config.problem_type = PROBLEM_TYPES[task.target]


def shift_head(model: nn.Module, task: Task) -> tuple[float, ...]:
    """Add to the trained head's bias what makes its plain decision that of the rule; what was added, nothing where the
    rule is no such sum, or the head has no bias.
    """
    shift = torch.tensor(task.head_shift)
    if not shift.any():
        return ()
    for name, parameter in model.named_parameters():
        last = name.endswith("bias") and is_in_head(name) and parameter.shape == shift.shape
        if last and parameter.requires_grad:
            with torch.no_grad():
                parameter.add_(shift)
            return task.head_shift
    return ()


def head_shift(folder: Path) -> FloatArray:
    """What an exported folder's outputs are shifted by, [outputs] or one 0."""
    rule = json.loads((folder / DECISION_RULE_FILE).read_text(encoding="utf-8"))
    return np.asarray(rule.get(HEAD_SHIFT) or [0.0], dtype=np.float64)


def unshifted(outputs: Outputs, shift: FloatArray) -> Outputs:
    """Outputs as the trial gave them; answers as they are."""
    return outputs if outputs.dtype == np.object_ else np.asarray(outputs, dtype=np.float64) - shift
