"""A slot: one Ray Train worker group that outlives its trials and takes one after another.

The only package here that knows Ray. Towards Ray Tune a slot is a class trainable with `reuse_actors` (`trainable`);
towards its workers it is a mailbox of numbered commands (`group`), which they read and obey (`serving`). Starting a
worker group costs seconds, taking the next trial nothing.
"""

from rarecall.trainables.slot.messages import EpochReport
from rarecall.trainables.slot.plan import CheckpointUnwrittenError, SlotDiedError, SlotPlan, SlotStartError
from rarecall.trainables.slot.trainable import REPORT, Slot, epoch_limit

__all__ = [
    "REPORT",
    "CheckpointUnwrittenError",
    "EpochReport",
    "Slot",
    "SlotDiedError",
    "SlotPlan",
    "SlotStartError",
    "epoch_limit",
]
