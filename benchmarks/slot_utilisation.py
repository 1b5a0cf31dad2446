"""How much of two cores two slots keep busy: trials that compute, against the wall time of an ideal schedule.

    python benchmarks/slot_utilisation.py [--trials 16] [--seconds 20] [--epochs 4]

Each trial computes for so many seconds of CPU time in all. Ideal: trials · seconds / slots. Time counts from the first
trial's first epoch on, so the start of Ray and of the slots is told apart. Run it on an idle machine.
"""

import argparse
import os
import platform
import tempfile
import time
from pathlib import Path

from idle_search import IdleSession, run_search

from rarecall.analysis.runs.ledger import read_ledger
from rarecall.search.cluster.session import ray_session

SLOTS = 2


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=20.0)
    parser.add_argument("--epochs", type=int, default=4)
    options = parser.parse_args()
    epoch = options.seconds / options.epochs
    started = time.time()
    with tempfile.TemporaryDirectory() as scratch, ray_session(None):
        run = run_search(Path(scratch) / "run", IdleSession(epoch, busy=True), options.trials, options.epochs, SLOTS)
        trials = read_ledger(run.ledger).trials.values()
    # The first epoch that ended began one epoch's computation earlier.
    begun = min(record.epochs[0].time for record in trials) - epoch
    taken = max(record.end.time for record in trials if record.end) - begun
    ideal = options.trials * options.seconds / SLOTS
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, {SLOTS} slots, {options.trials} trials of {options.seconds:g} s"
    )
    print(f"start-up {begun - started:.1f} s; trials {taken:.1f} s, ideal {ideal:.1f} s: {ideal / taken:.1%} used")


if __name__ == "__main__":
    main()
