"""Programs in a session of their own, so that they and their Ray can be ended without touching anything else."""

import contextlib
import os

import psutil


def end_session(leader):
    """Kill every process of the session that the process `leader` (of `subprocess`) leads."""
    leader.kill()
    leader.wait()
    for process in psutil.process_iter():
        with contextlib.suppress(ProcessLookupError, psutil.Error):
            if os.getsid(process.pid) == leader.pid:
                process.kill()
