"""What rarecall relies on in Ray beyond its public interface; a new version that changes one of these fails here."""

import ray
from ray.core.generated import gcs_pb2
from ray.util.placement_group import placement_group, remove_placement_group

from rarecall.search.cluster import ray_compat


def test_tables_have_the_fields_that_are_read(local_ray):
    group = {field.name for field in gcs_pb2.PlacementGroupTableData.DESCRIPTOR.fields}
    assert group >= {
        *("placement_group_id", "creator_job_id", "creator_actor_id", "creator_actor_dead", "is_detached", "state")
    }
    assert "state" in {field.name for field in gcs_pb2.ActorTableData.DESCRIPTOR.fields}


def test_own_reservations_are_found_with_their_creator(local_ray):
    group = placement_group([{"CPU": 1}])
    ray.get(group.ready())
    mine = {one.group: one for one in ray_compat.own_reservations()}[group.id.binary()]
    assert mine.creator is None
    assert not mine.creator_is_dead()
    mine.remove()
    assert group.id.binary() not in {one.group for one in ray_compat.own_reservations()}
    remove_placement_group(group)


def test_a_cluster_without_an_autoscaler_grows_to_nothing_more(local_ray):
    assert ray_compat.autoscaler_maximum() == {}
    assert not ray_compat.is_client()


def test_addresses_are_those_of_the_head_and_of_this_machine(local_ray):
    head, here = ray_compat.local_addresses()
    assert f"{head[0]}:{head[1]}" == local_ray
    assert here[1] not in (0, head[1])
