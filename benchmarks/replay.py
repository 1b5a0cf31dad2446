"""Searches replayed on stored curves: whose winners hold up on held-out data, and after how many epochs.

    python benchmarks/replay_curves.py          # once, an hour on 2 idle cores
    python benchmarks/replay.py [--seeds 100] [--budget 60] [--methods rarecall "random search"] [--ablations]

A simulator gives every method two slots and a budget in epochs; nothing is trained. A suggestion stands for the nearest
stored configuration in the unit cube of the space that this search has not used yet, and the method sees that one's
validation metrics epoch by epoch, under the parameters that it asked for. So what a sampler gains from small steps is
not seen, it has noise to cope with that a real search has not, and with few configurations left near a good place it is
sent further away: differences between samplers come out smaller than they are. Stopping is replayed exactly. Each seed
divides the stored rows anew into validation and held-out rows.

Winners are picked as each tool does (see `replay_methods.py`), and once more from the same trials in rarecall's order,
"by criteria", so that searching and picking can be told apart. Figures are means over seeds with 95 % bootstrap
intervals: `holds up` is the share of winners that meet all criteria on held-out rows; `recall of these` their minority
recall there, and `score` that of all winners, minus by how much they miss criteria. `epochs to` is when the mean score
of the winners so far first reaches what the mean of the stock search is at its end: as its user would pick, and by
criteria. `optimism` is the winner's reported minority recall minus the held-out one.

The second table is about finalists: the winner by the search alone, and the one of the best three by folds and seeds,
each with its reported figure.
"""

import argparse
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from replay_methods import (
    ABLATIONS,
    METHODS,
    OURS,
    STOCK,
    SYNE_TUNE,
    MakeMethod,
    Method,
    Trial,
    by_criteria,
)
from replay_table import Counts, Division, Table, metrics_of, predictions_of, read_rows, table_of, unit_points

from rarecall.analysis.criteria.ranking import best_epoch, judge, objective_value, rank_key, score
from rarecall.analysis.metrics.evaluation import Confusion
from rarecall.analysis.runs.run import EpochRow
from rarecall.analysis.text.table import Column, render_columns
from rarecall.analysis.uncertainty.bootstrap import percentile, posterior

SLOTS, BUDGET, SEEDS = 2, 60, 100
FINALISTS = 3
RESAMPLES = 2000
DEFAULT_CURVES = Path(__file__).parents[1] / "runs" / "replay" / "curves.jsonl"
Values = NDArray[np.float64]


class Nearest:
    """Stored configurations by nearness in the unit cube, each given once. points: [configurations, parameters]."""

    def __init__(self, points: Values) -> None:
        self._points, self._free = points, np.ones(len(points), dtype=bool)

    def take(self, point: Values) -> int:
        """The nearest one that is left, the first one on ties."""
        distances = np.where(self._free, ((self._points - point) ** 2).sum(axis=1), np.inf)
        number = int(distances.argmin())
        self._free[number] = False
        return number

    @property
    def left(self) -> int:
        return int(self._free.sum())


@dataclass(frozen=True)
class Replay:
    """One search of one seed. trials: in the order they began. events: trial and epoch row in the order of time."""

    trials: tuple[Trial, ...]
    events: tuple[tuple[Trial, EpochRow], ...]


class Simulator:
    """Runs a method on one division of the table; all epochs take the same time, so the slots take turns."""

    def __init__(self, method: Method, division: Division, points: Values, budget: int, slots: int = SLOTS) -> None:
        self._method, self._division, self._table = method, division, division.table
        self._nearest, self._budget, self._slots = Nearest(points), budget, slots
        self._trials: list[Trial] = []
        self._events: list[tuple[Trial, EpochRow]] = []
        self._spent = 0

    def run(self) -> Replay:
        running: list[Trial] = []
        while self._spent < self._budget:
            while len(running) < self._slots and self._nearest.left:
                running.append(self._start())
            if not running:
                break
            for trial in list(running):
                if self._spent < self._budget and not self._epoch(trial):
                    running.remove(trial)
                    self._method.ended(trial)
        return Replay(tuple(self._trials), tuple(self._events))

    def _start(self) -> Trial:
        name = f"t{len(self._trials) + 1:04d}"
        params = self._method.suggest(name)
        number = self._nearest.take(self._table.point(params))
        self._trials.append(Trial(name, params, number))
        return self._trials[-1]

    def _epoch(self, trial: Trial) -> bool:
        """Spend one epoch on the trial; whether it goes on."""
        self._spent += 1
        epoch = len(trial.epochs) + 1
        if epoch > self._division.epochs(trial.number):
            trial.status = "failed"
            return False
        trial.epochs.append(self._row(trial, epoch))
        self._events.append((trial, trial.epochs[-1]))
        if epoch == self._table.epochs:
            trial.status = "completed"
        elif not self._method.goes_on(trial):
            trial.status = "stopped"
        return trial.status == "running"

    def _row(self, trial: Trial, epoch: int) -> EpochRow:
        metrics, counts = self._division.validation(trial.number, epoch)
        confusion: Confusion = [list(row) for row in counts]
        value = score(metrics, self._table.criteria, self._table.objective)
        return EpochRow(trial.name, epoch, metrics, confusion, 0.0, 1.0, 0.0, "stored", None, value, 0.0)


@dataclass(frozen=True)
class Winner:
    """What a search ended with, reported and on held-out rows. met: whether it meets all criteria there."""

    reported: float
    recall: float
    score: float
    met: bool


@dataclass(frozen=True)
class Outcome:
    """One way to pick of one method, over all seeds. curve: [seeds, budget] held-out score of the winner so far."""

    name: str
    trials: Values
    winners: tuple[Winner, ...]
    curve: Values


def winner_of(trial: Trial, row: EpochRow, division: Division) -> Winner:
    """The figures of a pick."""
    table, held_out = division.table, division.held_out(trial.number, row.epoch)
    return Winner(
        reported=objective_value(row.metrics, table.objective),
        recall=objective_value(held_out, table.objective),
        score=score(held_out, table.criteria, table.objective),
        met=all(verdict.status == "met" for verdict in judge(held_out, table.criteria)),
    )


Pick = Callable[[Sequence[Trial]], tuple[Trial, EpochRow] | None]


def score_over_time(replay: Replay, pick: Pick, division: Division, budget: int) -> Values:
    """Held-out score [budget] of what would be picked after each epoch; NaN before there is anything."""
    known: dict[str, Trial] = {}
    values = np.full(budget, math.nan)
    for index, (trial, row) in enumerate(replay.events):
        so_far = known.setdefault(trial.name, Trial(trial.name, trial.params, trial.number))
        so_far.epochs.append(row)
        so_far.status = trial.status if len(so_far.epochs) == len(trial.epochs) else "running"
        if (picked := pick(list(known.values()))) is not None:
            values[index:] = winner_of(*picked, division).score
    return values


def outcomes(name: str, make: MakeMethod, table: Table, seeds: int, budget: int) -> tuple[list[Outcome], list[Replay]]:
    """A method's searches, picked as it does and, where that differs, by criteria."""
    points = unit_points(table)
    ways: dict[str, Callable[[Method], Pick]] = {name: lambda method: method.winner}
    if not name.startswith(OURS):
        ways[f"  {name}, by criteria"] = lambda _: lambda trials: by_criteria(trials, table)
    found: dict[str, list[tuple[Winner, Values]]] = {way: [] for way in ways}
    replays = []
    for seed in range(seeds):
        division, method = table.divided(seed), make(table, seed)
        replays.append(Simulator(method, division, points, budget).run())
        for way, pick_of in ways.items():
            pick = pick_of(method)
            picked = pick(replays[-1].trials)
            assert picked is not None, "a budget of some epochs leaves something to pick"
            curve = score_over_time(replays[-1], pick, division, budget)
            found[way].append((winner_of(*picked, division), curve))
    trials = np.array([len(replay.trials) for replay in replays], dtype=np.float64)
    return [
        Outcome(way, trials, tuple(winner for winner, _ in pairs), np.array([curve for _, curve in pairs]))
        for way, pairs in found.items()
    ], replays


def resampled(values: Values, statistic: Callable[[Values], Any] = lambda values: np.nanmean(values, axis=-1)) -> str:
    """The statistic of values [seeds] with the middle 95 % of what resampled seeds give."""
    index = np.random.default_rng(0).integers(len(values), size=(RESAMPLES, len(values)))
    known = values[np.isfinite(values)]
    if not len(known):
        return "-"
    with np.errstate(invalid="ignore"):
        interval = percentile(np.array([statistic(row) for row in values[index] if np.isfinite(row).any()]))
    return f"{statistic(values):.3f} ({interval.low:.3f}-{interval.high:.3f})"


def epochs_to(outcome: Outcome, stock: Outcome) -> tuple[int | None, str]:
    """Epochs after which the mean score is first as good as the stock's last one, with an interval over seeds."""
    index = np.random.default_rng(0).integers(len(stock.curve), size=(RESAMPLES, len(stock.curve)))
    every = [first_reach(outcome.curve[rows], stock.curve[rows]) for rows in index]
    told = first_reach(outcome.curve, stock.curve)
    low, high = np.quantile(
        np.array([math.inf if one is None else one for one in every]), [0.025, 0.975], method="lower"
    )
    return told, f"{_whole(told)} ({_whole(low)}-{_whole(high)})"


def first_reach(curve: Values, stock: Values) -> int | None:
    """Epochs, counted from 1, until the mean of curves [seeds, epochs] is as high as that of the stock's at its end."""
    reached = np.flatnonzero(_mean(curve) >= _mean(stock)[-1])
    return int(reached[0]) + 1 if len(reached) else None


def _mean(curve: Values) -> Values:
    """Mean over seeds; before there is anything, -inf."""
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(np.isnan(curve).any(axis=0), -np.inf, np.nan_to_num(curve).mean(axis=0)))


def _whole(value: float | None) -> str:
    return "never" if value is None or not math.isfinite(value) else f"{value:.0f}"


def comparison(found: Sequence[Outcome]) -> list[str]:
    """The lines of the first table."""
    by_name = {outcome.name.strip(): outcome for outcome in found}
    references = [by_name[name] for name in (STOCK, f"{STOCK}, by criteria") if name in by_name]
    met = [np.array([winner.met for winner in outcome.winners], dtype=np.float64) for outcome in found]
    recall = [np.array([winner.recall if winner.met else math.nan for winner in o.winners]) for o in found]
    scores = [np.array([winner.score for winner in outcome.winners]) for outcome in found]
    optimism = [np.array([winner.reported - winner.recall for winner in outcome.winners]) for outcome in found]
    columns = [
        Column(("search",), tuple(outcome.name for outcome in found), "<"),
        Column(("trials",), tuple(f"{outcome.trials.mean():.0f}" for outcome in found)),
        Column(("holds up",), tuple(resampled(values) for values in met)),
        Column(("recall of", "these"), tuple(resampled(values) for values in recall)),
        Column(("score",), tuple(resampled(values) for values in scores)),
        Column(("optimism",), tuple(resampled(values) for values in optimism)),
    ]
    for reference, what in zip(references, ("as it picks", "by criteria"), strict=False):
        cells = tuple(epochs_to(outcome, reference)[1] for outcome in found)
        columns.append(Column(("epochs to", "the stock's", what), cells))
    return render_columns(columns)


@dataclass(frozen=True)
class FoldFigure:
    """A configuration on all folds: criteria met, lower bound and value of the objective."""

    met: int
    bound: float
    value: float


def fold_figure(counts: Counts, table: Table) -> FoldFigure:
    """As `analysis.runs.ranking.finalists` judges pooled predictions."""
    metrics = metrics_of(counts, table.labels)
    met = sum(verdict.status == "met" for verdict in judge(metrics, table.criteria))
    drawn = posterior(predictions_of(counts), table.labels, {table.objective})
    return FoldFigure(met, percentile(drawn[table.objective]).low, objective_value(metrics, table.objective))


def with_finalists(replay: Replay, division: Division, figures: Mapping[tuple[int, int], FoldFigure]) -> Winner | None:
    """The winner of the best trials by their folds; None where one of them has no folds at its epoch."""
    table = division.table
    picked = [
        (trial, best_epoch(trial.epochs, table.criteria, table.objective)) for trial in replay.trials if trial.epochs
    ]
    picked.sort(key=lambda one: rank_key(one[1].metrics, table.criteria, table.objective), reverse=True)
    best = picked[:FINALISTS]
    if any((trial.number, row.epoch) not in figures for trial, row in best):
        return None
    trial, row = max(best, key=lambda one: _order(figures[one[0].number, one[1].epoch]))
    found = winner_of(trial, row, division)
    return Winner(figures[trial.number, row.epoch].value, found.recall, found.score, found.met)


def _order(figure: FoldFigure) -> tuple[int, float]:
    return figure.met, figure.bound


def finalists_table(outcome: Outcome, replays: Sequence[Replay], table: Table) -> list[str]:
    """The lines of the second table: without and with finalists, over seeds whose finalists all have folds."""
    figures = {
        (number, epoch): fold_figure(counts, table)
        for number, configuration in enumerate(table.configurations)
        for epoch, counts in enumerate(configuration.folds, 1)
    }
    pairs = [
        (alone, final)
        for seed, (alone, replay) in enumerate(zip(outcome.winners, replays, strict=True))
        if (final := with_finalists(replay, table.divided(seed), figures)) is not None
    ]
    if not pairs:
        return ["no seed whose finalists all have folds"]
    ways = [tuple(alone for alone, _ in pairs), tuple(final for _, final in pairs)]
    columns = [
        Column(("winner",), ("by the search alone", f"of {FINALISTS} finalists"), "<"),
        _figures("reported", ways, lambda winner: winner.reported),
        _figures("held out", ways, lambda winner: winner.recall),
        _figures("optimism", ways, lambda winner: winner.reported - winner.recall),
        _figures("holds up", ways, lambda winner: float(winner.met)),
        _figures("score", ways, lambda winner: winner.score),
    ]
    return [*render_columns(columns), f"{len(pairs)} of {len(replays)} seeds, whose finalists all have folds"]


def _figures(header: str, ways: Sequence[Sequence[Winner]], value: Callable[[Winner], float]) -> Column:
    return Column((header,), tuple(resampled(np.array([value(winner) for winner in way])) for way in ways))


def chosen_methods(names: Sequence[str], ablations: bool) -> dict[str, MakeMethod]:
    """Methods by name; without names all that can be imported."""
    known = {**METHODS, **SYNE_TUNE, **ABLATIONS}
    if names:
        return {name: known[name] for name in names}
    try:
        import syne_tune  # type: ignore[import-not-found] # noqa: F401

        external: Mapping[str, MakeMethod] = SYNE_TUNE
    except ImportError:
        external = {}
    return {**METHODS, **external, **(ABLATIONS if ablations else {})}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--curves", type=Path, default=DEFAULT_CURVES)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--budget", type=int, default=BUDGET, help="epochs of a search")
    parser.add_argument("--methods", nargs="+", default=[], choices=[*METHODS, *SYNE_TUNE, *ABLATIONS])
    parser.add_argument("--ablations", action="store_true", help="ours without one of its parts each, too")
    options = parser.parse_args()
    table = table_of(read_rows(options.curves))
    print(
        f"{len(table.configurations)} configurations of {table.epochs} epochs, {len(table.space)} parameters; "
        f"{options.seeds} seeds, {options.budget} epochs each in {SLOTS} slots; "
        f"{' and '.join(criterion.text for criterion in table.criteria)}\n"
    )
    found: list[Outcome] = []
    ours: tuple[Outcome, list[Replay]] | None = None
    for name, make in chosen_methods(options.methods, options.ablations).items():
        print(f"{name} …", file=sys.stderr, flush=True)
        of_method, replays = outcomes(name, make, table, options.seeds, options.budget)
        found += of_method
        ours = (of_method[0], replays) if name == OURS else ours
    print("\n".join(comparison(found)))
    if ours is not None and any(configuration.folds for configuration in table.configurations):
        print("\nfinalists\n" + "\n".join(finalists_table(*ours, table)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
