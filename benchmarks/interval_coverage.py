"""How often the 90 % intervals hold the true value, which must be 88 to 95 % (exact ones may hold it more often).

    python benchmarks/interval_coverage.py [--repeats 400] [--draws 400]

Recall needs no simulation: all outcomes of n rows are summed with their binomial probabilities. The other metrics are
simulated on 209 rows of four ordered tiers (169, 23, 14 and 3, as in the technology filter), whose true recalls run
from .1 to .9, with scores that miss by normal errors; beside ours stand the ordinary bootstrap, stratified, with
percentiles and with BCa (Efron 1987). The true value is the metric at the expected confusion matrix.
"""

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np
from scipy.special import ndtr, ndtri
from scipy.stats import binom

from rarecall.analysis.arrays import FloatArray
from rarecall.analysis.metrics import registry as metrics
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.metrics.tally import tally
from rarecall.analysis.metrics.weighted import RowWeights, WeightedRows
from rarecall.analysis.predictions.label_space import LabelSpace
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior
from rarecall.analysis.uncertainty.intervals import Interval, exact, jeffreys

ROWS = (3, 14, 23, 169)
RECALLS = tuple(round(0.1 * step, 1) for step in range(1, 10))
SIZES = np.array((169, 23, 14, 3))
LABELS = LabelSpace(("vaporware", "pilot", "early", "deployed"), ("pilot", "early", "deployed"), ("score",), None, True)
NAMES = ("macro_f1", "quadratic_weighted_kappa", "mae")
# Recall of the common tier, recall of each other tier, standard deviation of the scores' errors.
WORLDS = ((0.90, 0.1, 2.0), (0.90, 0.3, 1.6), (0.90, 0.5, 1.2), (0.95, 0.7, 1.0), (0.97, 0.9, 0.8))

Seen = tuple[Predictions, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=400)
    parser.add_argument("--draws", type=int, default=400)
    options = parser.parse_args()
    print("Recall, summed over all outcomes: coverage in %\n")
    print(f"{'interval':<9} {'n':>4}  " + "  ".join(f"p={recall}" for recall in RECALLS))
    for name, interval in (("exact", exact), ("Jeffreys", jeffreys)):
        for rows in ROWS:
            covered = [100 * recall_coverage(interval, rows, recall) for recall in RECALLS]
            print(f"{name:<9} {rows:>4}  " + "  ".join(f"{value:5.1f}" for value in covered))
    start = time.monotonic()
    noise = 100 * math.sqrt(0.09 / options.repeats)
    print(
        f"\n209 rows, {options.repeats} repeats of {options.draws} draws: coverage in % (± {noise:.1f}), mean width\n"
    )
    simulate(options.repeats, options.draws)
    print(f"\n{time.monotonic() - start:.0f} s")


def recall_coverage(interval: Callable[[int, int], Interval], rows: int, recall: float) -> float:
    """Probability that the interval from `rows` rows holds the recall."""
    held = [hits for hits in range(rows + 1) if interval(hits, rows).holds(recall)]
    return float(binom.pmf(held, rows, recall).sum())


def simulate(repeats: int, draws: int) -> None:
    methods: dict[str, Callable[[Seen, int], dict[str, Interval]]] = {
        "ours": ours,
        "percentile": lambda seen, draws: ordinary(seen, draws)[0],
        "BCa": lambda seen, draws: ordinary(seen, draws)[1],
    }
    print(f"{'interval':<11} {'metric':<25}" + "".join(f"  recall {recall:<6}" for _, recall, _ in WORLDS))
    for method, make in methods.items():
        cells = [world_coverage(make, *world, repeats if method == "ours" else repeats // 4, draws) for world in WORLDS]
        for name in NAMES:
            told = "".join(f"  {100 * cell[name][0]:5.1f} {cell[name][1]:6.3f} " for cell in cells)
            print(f"{method:<11} {name:<25}{told}", flush=True)


def world_coverage(
    make: Callable[[Seen, int], dict[str, Interval]],
    common: float,
    rare: float,
    spread: float,
    repeats: int,
    draws: int,
) -> dict[str, tuple[float, float]]:
    """Share of repeats in which the interval holds the true value, and its mean width, by metric."""
    generator = np.random.default_rng(0)
    chances = confusion_chances(common, rare)
    true = true_values(chances, spread)
    held = {name: [] for name in NAMES}
    for _ in range(repeats):
        predictions = draw_predictions(generator, chances, spread)
        intervals = make((predictions, evaluate(predictions, LABELS, NAMES)), draws)
        for name in NAMES:
            held[name].append((intervals[name].holds(true[name]), intervals[name].high - intervals[name].low))
    return {name: tuple(np.mean(values, axis=0)) for name, values in held.items()}


def confusion_chances(common: float, rare: float) -> FloatArray:
    """Chance of each predicted tier by true tier, [4, 4]; nearer tiers are likelier mistakes."""
    chances = np.zeros((4, 4))
    for tier, recall in enumerate((common, rare, rare, rare)):
        away = np.array([0 if tier == other else 1 / (tier - other) ** 2 for other in range(4)])
        chances[tier] = (1 - recall) * away / away.sum()
        chances[tier, tier] = recall
    return chances


def true_values(chances: FloatArray, spread: float) -> dict[str, float]:
    confusion = chances * SIZES[:, None]
    counted = replace(
        tally(draw_predictions(np.random.default_rng(0), chances, spread), LABELS),
        hits=confusion.diagonal(),
        predicted=confusion.sum(axis=0),
        confusion=confusion,
    )
    values = {name: metrics.find(name).values(counted)[-1] for name in NAMES}
    return values | {"mae": spread * math.sqrt(2 / math.pi)}  # E|X| of a normal


def draw_predictions(generator: np.random.Generator, chances: FloatArray, spread: float) -> Predictions:
    true = np.repeat(np.arange(4), SIZES)
    predicted = np.concatenate([generator.choice(4, size, p=row) for size, row in zip(SIZES, chances, strict=True)])
    scores = np.array([2.0, 5.0, 7.0, 9.0])[true][:, None]
    errors = generator.normal(0, spread, scores.shape)
    return Predictions(np.arange(len(true)), true, predicted, true_scores=scores, predicted_scores=scores + errors)


def ours(seen: Seen, draws: int) -> dict[str, Interval]:
    drawn = posterior(seen[0], LABELS, NAMES, draws=draws)
    return {name: percentile(drawn[name]) for name in NAMES}


def ordinary(seen: Seen, draws: int) -> tuple[dict[str, Interval], dict[str, Interval]]:
    """Rows drawn with replacement within the tiers; percentiles and BCa."""
    predictions, measured = seen
    generator = np.random.default_rng(0)
    rows = WeightedRows(predictions, LABELS, np.arange(len(predictions)))
    counts = [generator.multinomial(size, np.full(size, 1 / size), draws) for size in SIZES]
    drawn = weighted(rows, np.hstack(counts).astype(np.float64))
    left_out = weighted(rows, np.ones((len(predictions),) * 2) - np.eye(len(predictions)))
    size = np.repeat(SIZES, SIZES)
    plain = {name: percentile(drawn[name]) for name in NAMES}
    return plain, {
        name: bca(drawn[name], measured[name], acceleration((size - 1) * (measured[name] - left_out[name]) / size))
        for name in NAMES
    }


def weighted(rows: WeightedRows, weights: FloatArray) -> dict[str, FloatArray]:
    return rows.values(NAMES, RowWeights(weights, weights), lambda draws, shape: np.zeros((draws, *shape.shape)))


def acceleration(influence: FloatArray) -> float:
    """Davison and Hinkley 1997, eq. 5.29; influence: [n] of each row, divided by the rows of its tier."""
    influence = np.nan_to_num(influence)
    return float(np.sum(influence**3) / (6 * np.sum(influence**2) ** 1.5))


def bca(values: FloatArray, measured: float, acceleration: float, level: float = 0.9) -> Interval:
    """Efron 1987, eq. 3.9; draws equal to the measured value count half."""
    known = values[np.isfinite(values)]
    below = np.mean(known < measured) + np.mean(known == measured) / 2
    bias = ndtri(np.clip(below, 0.5 / len(known), 1 - 0.5 / len(known)))
    ends = bias + ndtri(np.array([(1 - level) / 2, (1 + level) / 2]))
    low, high = np.quantile(known, ndtr(bias + ends / (1 - acceleration * ends)))
    return Interval(float(low), float(high))


if __name__ == "__main__":
    main()
