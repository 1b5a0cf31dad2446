"""Many inputs for a surface: how many were used, how many refused, and which of them did something else."""

import shutil
import time
import traceback
import warnings
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from rarecall.analysis.errors import RarecallError
from rarecall.analysis.visible import visible
from tests.fuzz.mutation import mutated
from tests.fuzz.surfaces import SURFACES

# Longer than that is a hang.
PATIENCE = 5.0


@dataclass
class Counts:
    """used, refused: inputs by what became of them. failures: seeds with what happened instead. slowest: in seconds."""

    inputs: int = 0
    used: int = 0
    refused: int = 0
    slowest: float = 0.0
    failures: list[tuple[int, str]] = field(default_factory=list)


def tried(surface: str, seeds: Iterable[int], scratch: Path) -> Counts:
    """Try an input for each seed; the same seed always gives the same input."""
    counts = Counts()
    for seed in seeds:
        folder = scratch / f"input-{seed}"
        folder.mkdir()
        started = time.perf_counter()
        outcome = _outcome(surface, seed, folder)
        seconds = time.perf_counter() - started
        shutil.rmtree(folder)
        counts.inputs += 1
        counts.slowest = max(counts.slowest, seconds)
        counts.used += outcome == "used"
        counts.refused += outcome == "refused"
        if outcome not in ("used", "refused"):
            counts.failures.append((seed, outcome))
        elif seconds > PATIENCE:
            counts.failures.append((seed, f"took {seconds:.1f} s"))
    return counts


def input_of(surface: str, seed: int) -> bytes:
    """The input that a seed stands for."""
    place, random = SURFACES[surface], Random(f"{surface} {seed}")
    if random.random() < 0.5:
        return place.pack(mutated(place.seeds, random, place.tokens))
    return mutated([place.pack(one) for one in place.seeds], random, place.tokens)


def _outcome(surface: str, seed: int, folder: Path) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            SURFACES[surface].run(input_of(surface, seed), folder)
    except RarecallError as error:
        return "refused" if visible(str(error)) == str(error) else "a control character in a message"
    except BaseException:
        return "".join(traceback.format_exc().splitlines(keepends=True)[-6:])
    return "used"
