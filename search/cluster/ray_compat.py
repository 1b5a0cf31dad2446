"""All that rarecall uses of Ray and that Ray does not promise to keep: private state and generated protocols.

`tests/search/cluster/test_ray_compat.py` names what each function relies on; a new version of Ray is tried with it
first (`make test-newest`).
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import ray
from ray._private import services
from ray._private.state import state as cluster_state
from ray.core.generated.gcs_pb2 import (  # type: ignore[attr-defined]  # generated
    ActorTableData,
    PlacementGroupTableData,
)
from ray.util.placement_group import PlacementGroup, remove_placement_group


@dataclass(frozen=True)
class Reservation:
    """A placement group that holds something, or waits for it.

    creator: the actor that made it, None for the driver itself. marked: whether Ray has noted that this actor is dead.
    """

    group: bytes
    creator: bytes | None
    marked: bool

    def remove(self) -> None:
        """Give back what it holds."""
        remove_placement_group(PlacementGroup(ray.PlacementGroupID(self.group)))

    def creator_is_dead(self) -> bool:
        """Whether the actor that made it is dead; those of the driver itself have none.

        Ray's own mark is not enough: it is set when an actor dies, and a group whose request was still on its way then,
        as that of a worker group killed while it starts, never gets it.
        """
        if self.creator is None:
            return False
        return self.marked or _actor_is_dead(ray.ActorID(self.creator))


@contextlib.contextmanager
def on_loopback() -> Iterator[str]:
    """The `_node_ip_address` for `ray.init` within, by which Ray's processes listen on 127.0.0.1 and nowhere else.

    A node whose address is that of localhost does so by itself, but `ray.init` replaces it by one of the network's.
    """
    before = services.resolve_ip_for_localhost
    services.resolve_ip_for_localhost = lambda host: host
    try:
        yield "127.0.0.1"
    finally:
        services.resolve_ip_for_localhost = before


def is_client() -> bool:
    """Whether Ray is reached through its client (`ray://`), which knows nothing of the cluster's state."""
    return bool(ray.util.client.ray.is_connected())


def own_reservations() -> Iterator[Reservation]:
    """This driver's placement groups; Ray's public table (`ray.util.placement_group_table`) omits who made them."""
    job = ray.get_runtime_context().get_job_id()
    for data in cluster_state._connect_and_get_accessor().get_placement_group_table():
        row = PlacementGroupTableData.FromString(data)
        if ray.JobID(row.creator_job_id).hex() != job or row.is_detached:
            continue
        if row.state != PlacementGroupTableData.REMOVED:
            creator = None if ray.ActorID(row.creator_actor_id).is_nil() else row.creator_actor_id
            yield Reservation(row.placement_group_id, creator, row.creator_actor_dead)


def _actor_is_dead(actor: Any) -> bool:
    found = cluster_state._connect_and_get_accessor().get_actor_info(actor)
    # Ray forgets the oldest of many dead actors, and never a living one.
    return found is None or ActorTableData.FromString(found).state == ActorTableData.DEAD


def autoscaler_maximum() -> dict[str, float]:
    """By resource, what the cluster may grow to where it scales itself; empty elsewhere."""
    return dict(cluster_state.get_max_resources_from_cluster_config() or {})


def local_addresses() -> list[tuple[str, int]]:
    """Host and port of the cluster's head and of this machine's part of it; none through the client."""
    node: Any = ray._private.worker._global_node
    if node is None:
        return []
    host, _, port = node.gcs_address.rpartition(":")
    return [(host, int(port)), (node.node_ip_address, int(node.node_manager_port))]
