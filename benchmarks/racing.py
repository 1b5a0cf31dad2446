"""Finalists with and without a race: how many folds are trained, how far off the winner's figures are, who is chosen.

    python benchmarks/racing.py [--sets davidson clinc150] [--searches 100]

Searches are replayed as in `honest_winner.py`: 32 models, ordered by criteria and minority recall on a validation split
with 7, 20 or 50 rows of the rarest class. The best three become finalists over five folds: five further draws of as
many rows. The models stand still in between, so what a new seed adds to chance is left out. `truth` is a model's score
on the whole pool: minority recall minus what the criteria lack.

folds: trained, of 15. bias: winner's minority recall as told, minus its true one. best: how often the truly best of the
three is chosen. loss: by how much the chosen one's true score falls short of the best one's, in points.
"""

import argparse
from collections.abc import Mapping
from functools import partial
from multiprocessing import Pool as Processes

import numpy as np
from honest_pools import EPOCHS, READERS, pool_of
from honest_winner import OBJECTIVE, TRIALS, Setting, _drawn, setting_of

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.judging import rank_keys
from rarecall.analysis.criteria.ranking import judge, score
from rarecall.analysis.metrics.evaluation import evaluate
from rarecall.analysis.predictions.predictions import Predictions
from rarecall.analysis.runs.ranking.racing import raced
from rarecall.analysis.text.table import Column, render_columns
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior

RARE_ROWS, FINALISTS, FOLDS, CHANCES = (7, 20, 50), 3, 5, (0.05, 0.1, 0.2)
WAYS = ("search alone", "all folds", *(f"race, {chance:g}" for chance in CHANCES))


def best(setting: Setting, pooled: Mapping[str, Predictions]) -> str:
    """The finalist that `rarecall finalists` names the winner."""

    def order(name: str) -> tuple[float, float]:
        labels = setting.pool.labels
        met = sum(one.status == "met" for one in judge(evaluate(pooled[name], labels, setting.names), setting.criteria))
        return met, percentile(posterior(pooled[name], labels, {OBJECTIVE}, draws=500)[OBJECTIVE]).low

    return max(pooled, key=order)


def replayed(setting: Setting, rare_rows: int, seed: int) -> list[tuple[float, float, float, float]]:
    """One search: folds, bias, whether the best was chosen, and loss, for each way."""
    pool, random = setting.pool, np.random.default_rng([seed, rare_rows, 5])
    configurations = random.choice(len(pool.predicted), TRIALS, replace=False)
    pairs = [(int(one), epoch) for one in configurations for epoch in range(EPOCHS)]
    rows = _drawn(pool, rare_rows, random)
    metrics = [evaluate(pool.predictions(*pair, rows), pool.labels, setting.names) for pair in pairs]
    keys = rank_keys(metrics, setting.criteria, OBJECTIVE)
    ordered = [pairs[place] for place in np.lexsort([-column for column in keys.T[::-1]])]
    chosen = list({pair[0]: pair for pair in reversed(ordered)}.values())[::-1][:FINALISTS]
    everything = np.arange(len(pool.true_class))
    truth = {str(one): evaluate(pool.predictions(*one, everything), pool.labels, setting.names) for one in chosen}
    value = {name: score(found, setting.criteria, OBJECTIVE) for name, found in truth.items()}
    by_trial: dict[str, dict[int, Predictions]] = {name: {} for name in truth}
    for fold in range(1, FOLDS + 1):
        drawn = _drawn(pool, rare_rows, random)
        for pair in chosen:
            by_trial[str(pair)][fold] = pool.predictions(*pair, drawn)
    result = [(0.0, str(chosen[0]), metrics[pairs.index(chosen[0])][OBJECTIVE])]
    goal, winner_of = Goal(setting.criteria, OBJECTIVE), partial(best, setting)
    for chance in (0.0, *CHANCES):
        race = raced(by_trial, FOLDS, pool.labels, goal, winner_of, chance)
        pooled = {one: _pooled(by_trial[one], race.rounds) for one in race.racing}
        name = winner_of(pooled)
        trained = race.rounds * len(race.racing) + sum(one.folds for one in race.left.values())
        result.append((trained, name, evaluate(pooled[name], pool.labels, setting.names)[OBJECTIVE]))
    top = max(value.values())
    return [
        (folds, told - truth[name][OBJECTIVE], float(value[name] >= top), top - value[name])
        for folds, name, told in result
    ]


def _pooled(folds: Mapping[int, Predictions], rounds: int) -> Predictions:
    return Predictions.joined([folds[number] for number in range(1, rounds + 1)])


def of_setting(task: tuple[str, int]) -> tuple[str, dict[int, np.ndarray]]:
    """Figures [searches, ways, 4] of one set by the number of rare rows."""
    name, searches = task
    setting = setting_of(pool_of(name), 30)
    return name, {rows: np.array([replayed(setting, rows, seed) for seed in range(searches)]) for rows in RARE_ROWS}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sets", nargs="+", choices=list(READERS), default=list(READERS))
    parser.add_argument("--searches", type=int, default=100)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    with Processes(min(options.processes, len(options.sets))) as processes:
        found = dict(processes.imap(of_setting, [(name, options.searches) for name in options.sets]))
    rows = []
    for rare_rows in RARE_ROWS:
        every = np.concatenate([by_rows[rare_rows] for by_rows in found.values()])
        for place, way in enumerate(WAYS):
            folds, bias, right, loss = every[:, place].mean(axis=0)
            worst = max((by_rows[rare_rows][:, place, 1].mean() for by_rows in found.values()), key=abs)
            told = (f"{folds:.1f}", f"{100 * bias:+.1f}", f"{100 * worst:+.1f}", f"{100 * right:.0f} %")
            rows.append((str(rare_rows), way, *told, f"{100 * loss:.2f}"))
    heads = ("rare rows", "way", "folds", "bias", "worst set", "best", "loss")
    columns = [Column((head,), cells, "<") for head, cells in zip(heads, zip(*rows, strict=True), strict=True)]
    print("\n".join(render_columns(columns)))


if __name__ == "__main__":
    main()
