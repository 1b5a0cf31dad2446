import os

import pytest
import torch

from rarecall.trainables.training.worker import Worker


@pytest.fixture
def threads():
    before = torch.get_num_threads()
    yield torch.get_num_threads
    torch.set_num_threads(before)


@pytest.mark.parametrize(("cpus", "expected"), [(0.1, 1), (1, 1), (1.9, 1), (2.0, 2), (10_000, os.cpu_count())])
def test_a_worker_computes_with_the_cpus_it_was_given(threads, cpus, expected):
    Worker().use_cpus(cpus)
    assert threads() == min(expected, os.cpu_count())


def test_a_worker_on_another_device_leaves_the_threads_alone(threads):
    before = threads()
    Worker(device=torch.device("meta")).use_cpus(before + 1)
    assert threads() == before
