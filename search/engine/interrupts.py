"""Ctrl-C that waits for what must not be cut in two."""

import contextlib
import signal
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def interrupts_deferred() -> Iterator[None]:
    """A Ctrl-C within takes effect at the end; a decorator as well. Elsewhere than in the main thread, nothing is done.

    Optuna's journal takes a lock in two steps; a KeyboardInterrupt between them comes out as a FileNotFoundError.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)
