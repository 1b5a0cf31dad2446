"""What killed worker groups had reserved, given back while the search goes on."""

import contextlib
import threading
import time
from collections.abc import Iterator

from rarecall.search.cluster.ray_compat import Reservation, is_client, own_reservations

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
    if is_client():
        yield
        return
    before, ended = {reservation.group for reservation in own_reservations()}, threading.Event()
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


def give_back() -> list[Reservation]:
    """Remove the placement groups of this driver whose creating actor is dead; returns those that are left."""
    left = []
    for reservation in own_reservations():
        if reservation.creator_is_dead():
            reservation.remove()
        else:
            left.append(reservation)
    return left


def _sweep_until(ended: threading.Event) -> None:
    with contextlib.suppress(Exception):  # as above
        while not ended.wait(SWEEP_SECONDS):
            give_back()


def _sweep_last(before: set[bytes]) -> None:
    """Until none is left of those that came after `before`."""
    deadline = time.monotonic() + END_SECONDS
    while any(reservation.group not in before for reservation in give_back()) and time.monotonic() < deadline:
        time.sleep(0.2)
