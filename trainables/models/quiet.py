"""transformers without its tables and bars."""

from transformers.utils import logging as transformers_logging


class quiet_transformers:  # noqa: N801  # used like a function
    """Without tables of newly initialised weights and progress bars, which say nothing that a user could act on."""

    def __enter__(self) -> None:
        self._level = transformers_logging.get_verbosity()
        transformers_logging.set_verbosity_error()
        self._bars = transformers_logging.is_progress_bar_enabled()
        transformers_logging.disable_progress_bar()

    def __exit__(self, *_: object) -> None:
        transformers_logging.set_verbosity(self._level)
        if self._bars:
            transformers_logging.enable_progress_bar()
