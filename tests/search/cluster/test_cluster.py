import os
import subprocess
import sys

import pytest
import ray

from rarecall.analysis.errors import InputError
from rarecall.search.cluster.session import SlotLayout, layout
from rarecall.search.experiment.schema import ResourcesConfig


@pytest.fixture
def resources(local_ray, monkeypatch):
    """Stands in for clusters that no test machine has."""

    def resources(**there):
        monkeypatch.setattr(ray, "cluster_resources", lambda: there)

    return resources


def refusal(config, trials=8):
    with pytest.raises(InputError) as caught:
        layout(ResourcesConfig(**config), trials, joined=False)
    (fault,) = caught.value.faults
    return fault


@pytest.mark.parametrize(
    ("config", "trials", "expected"),
    [
        ({}, 16, SlotLayout(slots=4, workers=1, cpus=1, gpus=0)),  # 4 CPU / 1
        ({}, 3, SlotLayout(slots=3, workers=1, cpus=1, gpus=0)),  # never more than trials
        ({}, 2, SlotLayout(slots=2, workers=1, cpus=2, gpus=0)),  # 4 / 2 trials
        ({}, 1, SlotLayout(slots=1, workers=1, cpus=4, gpus=0)),  # one training takes all of them
        ({"workers": 2}, 16, SlotLayout(slots=2, workers=2, cpus=1, gpus=0)),  # 4 / 2
        ({"workers": 2}, 1, SlotLayout(slots=1, workers=2, cpus=2, gpus=0)),  # 4 / (1 · 2)
        ({"workers": 3}, 1, SlotLayout(slots=1, workers=3, cpus=1, gpus=0)),  # 4 / 3, whole ones
        ({"cpus_per_worker": 1}, 1, SlotLayout(slots=1, workers=1, cpus=1, gpus=0)),
        ({"cpus_per_worker": 1.5}, 16, SlotLayout(slots=2, workers=1, cpus=1.5, gpus=0)),  # 4 / 1.5 = 2.67
        ({"cpus_per_worker": 0.1}, 99, SlotLayout(slots=40, workers=1, cpus=0.1, gpus=0)),
        ({"slots": 2}, 16, SlotLayout(slots=2, workers=1, cpus=2, gpus=0)),
        ({"slots": 4}, 1, SlotLayout(slots=1, workers=1, cpus=4, gpus=0)),
        ({"workers": 4, "cpus_per_worker": 1}, 16, SlotLayout(slots=1, workers=4, cpus=1, gpus=0)),
    ],
)
def test_slots_of_a_machine_with_four_cpus(local_ray, config, trials, expected):
    assert layout(ResourcesConfig(**config), trials, joined=False) == expected


def test_a_cluster_that_others_use_too_gives_a_worker_one_cpu(local_ray):
    assert layout(ResourcesConfig(), trials=1, joined=True).cpus == 1
    assert layout(ResourcesConfig(cpus_per_worker=3), trials=1, joined=True).cpus == 3


def test_cores_of_several_machines_are_no_share_of_one_worker(resources, monkeypatch):
    resources(CPU=8.0)
    assert layout(ResourcesConfig(), trials=1, joined=False).cpus == 8
    monkeypatch.setattr(ray, "nodes", lambda: [{}, {}])
    assert layout(ResourcesConfig(), trials=1, joined=False).cpus == 1


def test_what_does_not_fit_is_refused_with_what_there_is(local_ray):
    fault = refusal({"workers": 3, "cpus_per_worker": 2})
    assert fault.where == "resources.slots"
    assert "at least one slot of 3 × (2 CPU, 0 GPU) must fit the cluster, which has 4 CPU and 0 GPU" in fault.rule
    assert "--address" in fault.remedy
    assert "5 slots of 1 × (1 CPU, 0 GPU)" in refusal({"slots": 5}).rule
    assert "(1 CPU, 0.5 GPU) must fit the cluster, which has 4 CPU and 0 GPU and holds 0" in (
        refusal({"gpus_per_worker": 0.5}).rule
    )


def test_more_slots_than_fit_are_refused_even_where_trials_are_few(local_ray):
    assert "holds 4" in refusal({"slots": 5}, trials=1).rule


@pytest.mark.parametrize(
    ("there", "config", "slots", "gpus"),
    [
        ({"CPU": 16.0, "GPU": 2.0}, {}, 2, 1.0),  # auto: one GPU each
        ({"CPU": 16.0, "GPU": 2.0}, {"workers": 2}, 1, 1.0),
        ({"CPU": 16.0, "GPU": 2.0}, {"gpus_per_worker": 0.25}, 8, 0.25),  # 2 / 0.25
        ({"CPU": 4.0, "GPU": 2.0}, {"gpus_per_worker": 0.25}, 4, 0.25),  # its CPUs hold 4
        ({"CPU": 16.0, "GPU": 2.0}, {"gpus_per_worker": 0}, 16, 0.0),
        ({"CPU": 16.0, "GPU": 0.3}, {"gpus_per_worker": 0.1}, 3, 0.1),  # 0.3 / 0.1 is 2.9999… in floats
    ],
)
def test_slots_of_machines_with_gpus(resources, there, config, slots, gpus):
    resources(**there)
    found = layout(ResourcesConfig(**config), 99, joined=False)
    assert (found.slots, found.gpus) == (slots, gpus)


def test_where_gpus_compute_a_worker_takes_one_cpu(resources):
    resources(CPU=16.0, GPU=2.0)
    assert layout(ResourcesConfig(), 99, joined=False).cpus == 1
    assert layout(ResourcesConfig(gpus_per_worker=0), 4, joined=False).cpus == 4  # 16 / 4 trials


def test_gpus_that_do_not_suffice_are_refused(resources):
    resources(CPU=16.0, GPU=1.0)
    assert "which has 16 CPU and 1 GPU and holds 0" in refusal({"workers": 2}).rule


def in_a_process_of_its_own(script, **environment):
    """What a script prints; this process may be connected to a Ray already."""
    command = [sys.executable, "-c", "import ray\nfrom rarecall.search.cluster.session import ray_session\n" + script]
    environment = os.environ | environment
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout


def test_without_an_address_a_ray_is_started_even_where_another_one_runs(local_ray):
    script = "with ray_session(None):\n print(ray.get_runtime_context().gcs_address)\nprint(ray.is_initialized())"
    address, afterwards = in_a_process_of_its_own(script, RAY_ADDRESS=local_ray).split()
    assert address != local_ray
    assert afterwards == "False"


@pytest.mark.alone
def test_a_ray_of_our_own_listens_on_loopback_only():
    script = """
import ipaddress, psutil
with ray_session(None):
    me = psutil.Process()
    connections = [one for part in (me, *me.children(recursive=True)) for one in part.net_connections("tcp")]
    heard = {one.laddr.ip.removeprefix("::ffff:") for one in connections if one.status == psutil.CONN_LISTEN}
    print(len(heard), [one for one in heard if not ipaddress.ip_address(one).is_loopback])
"""
    assert in_a_process_of_its_own(script) == "1 []\n"


def test_an_address_joins_the_ray_that_runs_there(local_ray):
    script = f"with ray_session('{local_ray}'):\n print(ray.cluster_resources()['CPU'])"
    assert in_a_process_of_its_own(script).split() == ["4.0"]


def test_an_address_where_no_ray_can_be_is_a_fault_of_the_command_line():
    script = """
from rarecall.analysis.errors import InputError
try:
    with ray_session("nonsense"):
        pass
except InputError as error:
    print(error)
"""
    told = in_a_process_of_its_own(script)
    assert "command line: 1 fault\n  --address: no Ray cluster answers there" in told
    assert "got 'nonsense' (start one with `ray start --head`)" in told
