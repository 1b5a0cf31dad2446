"""Ctrl-C, and what a shell or a scheduler sends instead of it; it waits for what must not be cut in two."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType

# What ends a command that can be resumed: Ctrl-C, `kill` and schedulers, a terminal that is closed.
STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stopped(KeyboardInterrupt):
    """A signal that ends the command as Ctrl-C does. number: which."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


@contextlib.contextmanager
def stops_as_interrupts() -> Iterator[None]:
    """SIGTERM and SIGHUP within end the command as Ctrl-C does; one that is ignored (`nohup`) still is."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard = [one for one in STOPS[1:] if signal.getsignal(one) == signal.SIG_DFL]
    for one in heard:
        signal.signal(one, _stop)
    try:
        yield
    finally:
        for one in heard:
            signal.signal(one, signal.SIG_DFL)


def _stop(number: int, frame: FrameType | None) -> None:
    raise Stopped(number)


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """A stop within takes effect at the end; a decorator as well. Elsewhere than in the main thread, nothing is done.

    Optuna's journal takes a lock in two steps; a KeyboardInterrupt between them comes out as a FileNotFoundError.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    heard = [one for one in STOPS if callable(signal.getsignal(one))]
    before = {one: signal.signal(one, lambda number, _: pressed.append(number)) for one in heard}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
    if pressed:
        signal.raise_signal(signal.Signals(pressed[0]))
