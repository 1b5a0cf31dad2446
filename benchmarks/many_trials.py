"""What a search of many trials costs beside their training: time per trial at its begin and end, memory, disk.

    python benchmarks/many_trials.py [--trials 1000] [--epochs 1]

Trials do nothing, in two slots; the searcher is Optuna's TPE with constraints and a journal, as in a real search. Each
hundred trials is told, so that anything that grows with their number is seen.
"""

import argparse
import os
import platform
import tempfile
import threading
import time
from pathlib import Path

import psutil
from idle_search import IdleSession, run_search

from rarecall.analysis.runs.ledger import read_ledger
from rarecall.search.cluster.session import ray_session


class MemoryWatch(threading.Thread):
    """Largest resident memory of this process, in MB, looked at twice a second."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.peak, self._process = 0.0, psutil.Process()

    def run(self) -> None:
        while True:
            self.peak = max(self.peak, self._process.memory_info().rss / 1e6)
            time.sleep(0.5)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--epochs", type=int, default=1)
    options = parser.parse_args()
    watch = MemoryWatch()
    with tempfile.TemporaryDirectory() as scratch, ray_session(None):
        before = psutil.Process().memory_info().rss / 1e6
        watch.start()
        run = run_search(Path(scratch) / "run", IdleSession(0.0), options.trials, options.epochs, slots=2)
        told = read_ledger(run.ledger)
        ends = sorted(record.end.time for record in told.trials.values() if record.end)
        disk = {path.name: path.stat().st_size / 1e6 for path in (run.ledger, run.journal)}
    print(f"{platform.machine()}, {os.cpu_count()} cores; {len(ends):,} of {options.trials:,} trials ended")
    for first in range(0, len(ends) - 99, 100):
        print(f"trials {first + 1:>5} to {first + 100:>5}: {(ends[first + 99] - ends[first]) / 99:.3f} s each")
    print(f"all: {(ends[-1] - ends[0]) / (len(ends) - 1):.3f} s each")
    print(f"driver: {before:.0f} MB before, {watch.peak:.0f} MB at most")
    print(", ".join(f"{name} {size:.2f} MB" for name, size in disk.items()))


if __name__ == "__main__":
    main()
