"""Garbage collection held back where many rows are made that cannot be garbage yet."""

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def no_collection() -> Iterator[None]:
    """Without the collector, which would walk all rows of a ledger again and again; reference counts go on working."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
