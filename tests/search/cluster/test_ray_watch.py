import socket
import threading

import pytest

from rarecall.search.cluster import watch as ray_watch
from rarecall.search.cluster.watch import watched


@pytest.fixture
def quick(monkeypatch):
    monkeypatch.setattr(ray_watch, "LOOK_SECONDS", 0.05)


@pytest.fixture
def server(monkeypatch):
    """Something that takes connections as Ray does, at the only address that is watched."""
    with socket.create_server(("127.0.0.1", 0), backlog=100) as server:
        monkeypatch.setattr(ray_watch, "local_addresses", lambda: [server.getsockname()])
        yield server


def test_a_ray_that_is_gone_is_told_with_its_address(quick, server):
    told, ended = [], threading.Event()
    host, port = server.getsockname()

    def end(text):
        told.append(text)
        ended.set()

    with watched(3, end):
        assert not ended.wait(0.5)
        server.close()
        assert ended.wait(60)
    assert told == [f"Ray at {host}:{port} is gone; what was finished is kept (resume the run)"]


def test_a_ray_that_is_shut_down_on_purpose_is_not_missed(quick, server):
    told = []
    with watched(2, told.append):
        pass
    server.close()
    assert not threading.Event().wait(0.5)
    assert told == []


def test_the_head_and_this_machine_are_watched(local_ray):
    (head, here) = ray_watch.local_addresses()
    assert f"{head[0]}:{head[1]}" == local_ray
    assert here != head
    assert ray_watch._answers(here)
