"""`python -m tests.fuzz [INPUTS] [FIRST]`: many inputs for all surfaces, and a table of what became of them.

Exit code 1 where one of them did something else than to be used or refused.
"""

import sys
import tempfile
from pathlib import Path

from tests.fuzz.running import tried
from tests.fuzz.surfaces import SURFACES

USUAL = 200_000
# Slow ones get fewer inputs, and the others more.
SHARES = {"ledgers": 0.3, "diagnose": 0.3, "experiment files": 0.4, "exported folders": 0.5, "--set": 0.6}


def main(inputs: int = USUAL, first: int = 0) -> int:
    """Try so many inputs in all, from the seed `first` on."""
    shares = {name: SHARES.get(name, 1.2) for name in SURFACES}
    print("| surface | inputs | used | refused | failed | slowest (s) |\n|---|---|---|---|---|---|")
    total = failed = 0
    for name, share in shares.items():
        count = round(inputs * share / sum(shares.values()))
        with tempfile.TemporaryDirectory() as scratch:
            found = tried(name, range(first, first + count), Path(scratch))
        told = f"{found.inputs:,} | {found.used:,} | {found.refused:,} | {len(found.failures)} | {found.slowest:.2f}"
        print(f"| {name} | {told} |", flush=True)
        for seed, what in found.failures[:3]:
            print(f"seed {seed}: {what}", file=sys.stderr, flush=True)
        total, failed = total + found.inputs, failed + len(found.failures)
    print(f"| all | {total:,} | | | {failed} | |")
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
