"""What killed worker groups had reserved, given back while the search goes on."""

import contextlib
import threading
import time
from collections.abc import Iterator

import ray
from ray._private.state import state as cluster_state
from ray.core.generated.gcs_pb2 import (  # type: ignore[attr-defined]  # generated
    ActorTableData,
    PlacementGroupTableData,
)
from ray.util.placement_group import PlacementGroup, remove_placement_group

SWEEP_SECONDS = 2.0
# How long the last slots may take to end after their search has.
END_SECONDS = 15.0


@contextlib.contextmanager
def reservations_returned() -> Iterator[None]:
    """While this lasts, and until its slots have ended, what dead actors of this driver had reserved is given back.

    A worker group's controller removes its placement group when it ends by itself. One that is killed, with its slot or
    while it starts, cannot, and Ray keeps a placement group until its creator and the whole driver are gone: the slot's
    CPUs and GPUs would be lost to its successor. Ray Train's own cleaner asks the dashboard, which a search does
    without, and never hears of a group that was killed while it started. Ray's client (`ray://`) cannot ask a cluster
    for its groups; there nothing is done.
    """
    if ray.util.client.ray.is_connected():
        yield
        return
    before, ended = {group.placement_group_id for group in _ours()}, threading.Event()
    sweeper = threading.Thread(target=_sweep_until, args=(ended,), daemon=True, name="reservations")
    sweeper.start()
    interrupted = False
    try:
        yield
    except KeyboardInterrupt:
        interrupted = True
        raise
    finally:
        ended.set()
        # Who pressed Ctrl-C shall not wait: the driver ends, and with it what its actors had reserved.
        if not interrupted:
            sweeper.join()
            with contextlib.suppress(Exception):  # a cluster that is gone, which the search itself tells
                _sweep_last(before)


def give_back() -> list[PlacementGroupTableData]:
    """Remove the placement groups of this driver whose creating actor is dead; returns those that are left."""
    left = []
    for group in _ours():
        if _creator_is_dead(group):
            remove_placement_group(PlacementGroup(ray.PlacementGroupID(group.placement_group_id)))
        else:
            left.append(group)
    return left


def _creator_is_dead(group: PlacementGroupTableData) -> bool:
    """Whether the actor that created the group is dead; those that the driver itself created have none.

    The group's own mark is not enough: it is set when an actor dies, and a group whose request was still on its way
    then, as that of a worker group killed while it starts, never gets it.
    """
    creator = ray.ActorID(group.creator_actor_id)
    if creator.is_nil():
        return False
    if group.creator_actor_dead:
        return True
    found = cluster_state._connect_and_get_accessor().get_actor_info(creator)
    # Ray forgets the oldest of many dead actors, and never a living one.
    return found is None or ActorTableData.FromString(found).state == ActorTableData.DEAD


def _sweep_until(ended: threading.Event) -> None:
    with contextlib.suppress(Exception):  # as above
        while not ended.wait(SWEEP_SECONDS):
            give_back()


def _sweep_last(before: set[bytes]) -> None:
    """Until none is left of those that came after `before`."""
    deadline = time.monotonic() + END_SECONDS
    while any(group.placement_group_id not in before for group in give_back()) and time.monotonic() < deadline:
        time.sleep(0.2)


def _ours() -> list[PlacementGroupTableData]:
    """This driver's placement groups that hold something, or wait for it.

    Ray's public table (`ray.util.placement_group_table`) leaves out who created them.
    """
    job = ray.get_runtime_context().get_job_id()
    found = [
        PlacementGroupTableData.FromString(data)
        for data in cluster_state._connect_and_get_accessor().get_placement_group_table()
    ]
    return [
        group
        for group in found
        if ray.JobID(group.creator_job_id).hex() == job
        and not group.is_detached
        and group.state != PlacementGroupTableData.REMOVED
    ]
