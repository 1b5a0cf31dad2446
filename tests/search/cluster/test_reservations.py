"""What killed actors had reserved comes back while the driver goes on; what the living hold stays."""

import dataclasses
import time

import pytest
import ray
from ray.util.placement_group import placement_group, remove_placement_group

from rarecall.search.cluster import reservations
from rarecall.search.cluster.ray_compat import own_reservations
from rarecall.search.cluster.reservations import give_back, reservations_returned


@ray.remote(num_cpus=0)
class Holder:
    """Reserves as a worker group's controller does, and is killed as one."""

    def reserve(self):
        self.group = placement_group([{"CPU": 1}])
        ray.get(self.group.ready())
        return self.group.id.hex()


@pytest.fixture
def mine(local_ray):
    group = placement_group([{"CPU": 1}])
    ray.get(group.ready())
    yield group.id.hex()
    remove_placement_group(group)


def held():
    table = ray.util.placement_group_table()
    return {name for name, group in table.items() if group["state"] != "REMOVED"}


def wait_until(true, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def test_what_the_dead_reserved_is_given_back_while_the_search_runs(mine):
    living, killed = Holder.remote(), Holder.remote()
    kept, lost = ray.get([living.reserve.remote(), killed.reserve.remote()])
    with reservations_returned():
        assert {mine, kept, lost} <= held()
        ray.kill(killed)
        wait_until(lambda: lost not in held())
        assert {mine, kept} <= held()
        ray.kill(living)
    # The end of a search waits for what its last slots held, not for what was there before.
    assert kept not in held()
    assert mine in held()


def test_without_it_ray_would_keep_the_group_of_a_killed_actor(local_ray):
    holder = Holder.remote()
    lost = ray.get(holder.reserve.remote())
    ray.kill(holder)
    time.sleep(3)
    assert lost in held()
    wait_until(lambda: bytes.fromhex(lost) not in {reservation.group for reservation in give_back()})
    wait_until(lambda: lost not in held())


def test_a_group_that_was_asked_for_before_its_actor_died_and_made_afterwards_is_found_too(local_ray, monkeypatch):
    """Ray marks the groups it has when their actor dies; one that reached it later is never marked."""
    living, killed = Holder.remote(), Holder.remote()
    kept, lost = ray.get([living.reserve.remote(), killed.reserve.remote()])

    def unmarked():
        return [dataclasses.replace(reservation, marked=False) for reservation in own_reservations()]

    monkeypatch.setattr(reservations, "own_reservations", unmarked)
    ray.kill(killed)
    wait_until(lambda: bytes.fromhex(lost) not in {reservation.group for reservation in give_back()})
    wait_until(lambda: lost not in held())
    assert kept in held()
    ray.kill(living)
    wait_until(lambda: bytes.fromhex(kept) not in {reservation.group for reservation in give_back()})
