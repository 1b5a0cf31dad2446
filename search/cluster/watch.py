"""Notices that Ray itself is gone. Left alone, Ray ends this process without a word of ours, or waits for a minute."""

import contextlib
import os
import socket
import threading
from collections.abc import Callable, Iterator

from rich.console import Console

from rarecall.analysis.errors import RunError
from rarecall.search.cluster.ray_compat import local_addresses

LOOK_SECONDS = 2.0
# A cluster of our own never comes back; one that others run may start its head again within Ray's own minute.
OWN_PATIENCE, JOINED_PATIENCE = 3, 22

Address = tuple[str, int]


@contextlib.contextmanager
def watched(patience: int, ended: Callable[[str], None] | None = None) -> Iterator[None]:
    """Look every other second whether the connected Ray still takes connections, and call `ended` when it does not.

    patience: looks in a row that must fail. ended: gets what to tell; by default this process ends there and then,
    since whoever waits for Ray would wait on. Every row that was written is on the disk by then.
    """
    over = threading.Event()
    # What never answered, behind a firewall say, is not missed.
    addresses = [address for address in local_addresses() if _answers(address)]
    thread = threading.Thread(target=_watch, args=(over, addresses, patience, ended or _end), daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()


def _watch(over: threading.Event, addresses: list[Address], patience: int, ended: Callable[[str], None]) -> None:
    failures = 0
    while not over.wait(LOOK_SECONDS):
        gone = [address for address in addresses if not _answers(address)]
        failures = failures + 1 if gone else 0
        if failures >= patience and not over.is_set():
            host, port = gone[0]
            ended(f"Ray at {host}:{port} is gone; what was finished is kept (resume the run)")
            return


def _answers(address: Address) -> bool:
    try:
        socket.create_connection(address, timeout=5).close()
    except OSError:
        return False
    return True


def _end(told: str) -> None:
    console = Console(stderr=True)
    console.show_cursor()
    console.print(f"rarecall: {told}", markup=False, highlight=False, soft_wrap=True)
    os._exit(RunError.exit_code)
