"""One calm line on a long job over rows: how many are done, how fast, and the time that is left."""

import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.text import Text

from rarecall.search.display.live import clock

# Without a terminal nothing can be drawn over: a line now and then.
SECONDS_BETWEEN_LINES = 30


class ProgressLine:
    """Draws the line in a terminal, and prints one every half minute where there is none. Use within `with`."""

    def __init__(self, total: int, done: int, console: Console) -> None:
        """done: rows of earlier sessions, which say nothing about this one's speed."""
        self.total, self.done, self._before, self._console = total, done, done, console
        self._started = self._told = time.monotonic()
        self._live = Live(console=console, get_renderable=self._text, refresh_per_second=2, transient=True)

    def __enter__(self) -> "ProgressLine":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def advance(self, rows: int) -> None:
        """So many rows more are done."""
        self.done += rows
        if not self._console.is_terminal and time.monotonic() - self._told >= SECONDS_BETWEEN_LINES:
            self._told = time.monotonic()
            self._console.print(self._text(), soft_wrap=True)

    @property
    def seconds(self) -> float:
        """Since the beginning of this session."""
        return time.monotonic() - self._started

    @property
    def speed(self) -> float:
        """Rows per second of this session."""
        return (self.done - self._before) / max(self.seconds, 1e-9)

    def _text(self) -> Text:
        left = f" · about {clock((self.total - self.done) / self.speed)} left" if self.done > self._before else ""
        return Text(f"{self.done:,} of {self.total:,} rows · {self.speed:,.0f} rows/s{left}")
