"""The folder for what is worth computing once per machine: RARECALL_CACHE, or ~/.cache/rarecall."""

import os
from pathlib import Path


def cache_folder() -> Path:
    """Where it is; it need not exist yet."""
    return Path(os.environ.get("RARECALL_CACHE", Path.home() / ".cache" / "rarecall"))
