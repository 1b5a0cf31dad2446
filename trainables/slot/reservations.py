"""The resources that worker groups hold, given back when their slot is gone."""

import contextlib
from typing import Any

import ray
from ray.util.placement_group import PlacementGroup, remove_placement_group


@ray.remote(num_cpus=0)
class Reservations:
    """Gives back what the worker group of a slot holds as soon as the slot's mailbox is gone.

    A group's controller does so when it ends by itself. One that is killed cannot, and Ray keeps a placement group
    until its creator and the whole driver are gone, so that the CPUs and GPUs of a slot would be lost to its successor.
    Ray Train has a cleaner of its own, which asks Ray's dashboard who lives; a search need not have one.
    To be made by the driver, whose life it shares; a slot that dies takes its mailbox along.
    """

    async def watch(self, group: PlacementGroup, mailbox: Any) -> None:
        """Remove `group` when `mailbox` ends; harmless where the group is gone by then."""
        with contextlib.suppress(ray.exceptions.RayActorError):
            await mailbox.until_the_end.remote()
        remove_placement_group(group)
