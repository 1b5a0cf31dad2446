"""What is predicted: how labels become targets for the loss, and model outputs become predictions.

A kind of task is one module: the section of the experiment file with `@register(kind)`, which says how labels are read,
and the task, a frozen dataclass. Tasks hold plain values, so they pickle, and know numpy only. Importing this package
registers all of them.
"""

# Imported for their registrations as much as for the names.
from rarecall.trainables.tasks.instructed import InstructedScores, writes_answers
from rarecall.trainables.tasks.multiclass import Multiclass
from rarecall.trainables.tasks.multilabel import Multilabel
from rarecall.trainables.tasks.ordinal import Ordinal
from rarecall.trainables.tasks.protocol import Target, Task
from rarecall.trainables.tasks.registry import build_task, default_minority, register
from rarecall.trainables.tasks.scored import scored_task
from rarecall.trainables.tasks.section import TaskSection
from rarecall.trainables.tasks.tiered_scores import TieredScores, keyword_rules, switched
from rarecall.trainables.tasks.two_stage import TwoStageScores

__all__ = [
    "InstructedScores",
    "Multiclass",
    "Multilabel",
    "Ordinal",
    "Target",
    "Task",
    "TaskSection",
    "TieredScores",
    "TwoStageScores",
    "build_task",
    "default_minority",
    "keyword_rules",
    "register",
    "scored_task",
    "switched",
    "writes_answers",
]
