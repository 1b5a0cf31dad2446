"""The simulator of `benchmarks/replay.py` on a table of a few configurations, worked out by hand."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

KEY = "training.oversampling.ratio"
BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
MODULES = ("replay", "replay_methods", "replay_table", "unit_cube")
RATIO = '{"name": "FloatDistribution", "attributes": {"step": null, "low": 0.0, "high": 1.0, "log": false}}'
HEADER = {
    "kind": "header",
    "criteria": ["recall[other] >= 0.5"],
    "objective": "minority_recall",
    "epochs": 3,
    "labels": {"classes": ["other", "rare"], "minority": ["rare"]},
    "class_counts": {"train": {}, "validation": {"other": 2, "rare": 2}, "test": {"other": 90, "rare": 10}},
    "space": {KEY: RATIO},
    "settings": {KEY: 0.5},
    # Four rows of each class, of which two each are validation.
    "true": "00001111",
}
ALL_RARE, ALL_OTHER, PERFECT = "11111111", "00000000", "00001111"


@pytest.fixture
def replay(monkeypatch):
    """The script as a module, beside the modules that it imports."""
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in MODULES:
        monkeypatch.delitem(sys.modules, name, raising=False)
    import replay as module  # noqa: PLC0415

    yield module
    for name in MODULES:
        sys.modules.pop(name, None)


def table(replay, *curves, folds=()):
    """A table with a configuration at 0, 0.1, 0.2, … for each curve, a curve being the predictions of its epochs."""
    rows = [HEADER]
    for number, curve in enumerate(curves):
        epochs = [{"predicted": predicted} for predicted in curve]
        rows.append({"kind": "curve", "configuration": number, "params": {KEY: number / 10}, "epochs": epochs})
    rows += [{"kind": "folds", "configuration": number, "confusion": counts} for number, counts in folds]
    return replay.table_of(json.loads(json.dumps(rows)))


class Scripted:
    """Suggests given points and stops given trials after given epochs."""

    def __init__(self, points, stops=()):
        self._points, self._stops = iter(points), dict(stops)
        self.heard, self.ends = [], []

    def suggest(self, name):
        return {KEY: next(self._points)}

    def goes_on(self, trial):
        self.heard.append((trial.name, len(trial.epochs)))
        return self._stops.get(trial.name) != len(trial.epochs)

    def ended(self, trial):
        self.ends.append((trial.name, trial.status))

    def winner(self, trials):
        return trials[-1], trials[-1].epochs[-1]


def simulate(replay, method, tab, budget):
    return replay.Simulator(method, tab.divided(0), replay.unit_points(tab), budget).run()


def test_a_suggestion_stands_for_the_nearest_configuration_that_is_left(replay):
    nearest = replay.Nearest(np.array([[0.0, 0.0], [0.3, 0.0], [1.0, 1.0]]))
    # From (0.2, 0) it is 0.1 to the second and 0.2 to the first; then the first is left, then the third.
    assert [nearest.take(np.array([0.2, 0.0])) for _ in range(3)] == [1, 0, 2]
    assert nearest.left == 0


def test_slots_take_turns_and_the_next_trial_begins_when_one_ends(replay):
    tab = table(replay, *[[ALL_OTHER] * 3] * 4)
    method = Scripted([0.0, 0.1, 0.2, 0.3], {"t0001": 1})
    found = simulate(replay, method, tab, budget=8)
    events = [(trial.name, row.epoch) for trial, row in found.events]
    assert events == [
        ("t0001", 1),
        ("t0002", 1),
        # The first was stopped; the third has its slot, behind the second.
        ("t0002", 2),
        ("t0003", 1),
        ("t0002", 3),
        ("t0003", 2),
        ("t0003", 3),
        ("t0004", 1),
    ]
    assert method.ends == [("t0001", "stopped"), ("t0002", "completed"), ("t0003", "completed")]
    # A last epoch leaves nothing to ask.
    assert ("t0002", 3) not in method.heard


def test_the_budget_ends_a_search_in_the_middle_of_a_turn(replay):
    found = simulate(replay, Scripted([0.0, 0.1]), table(replay, [ALL_OTHER] * 3, [ALL_OTHER] * 3), budget=3)
    assert [len(trial.epochs) for trial in found.trials] == [2, 1]
    assert [trial.status for trial in found.trials] == ["running", "running"]


def test_a_configuration_that_diverged_costs_the_epoch_and_fails(replay):
    method = Scripted([0.0, 0.1, 0.2])
    found = simulate(replay, method, table(replay, [ALL_OTHER, ""], [ALL_OTHER] * 3), budget=9)
    # One epoch and the one it diverged in, beside three of the other; nothing else is stored.
    assert method.ends == [("t0001", "failed"), ("t0002", "completed")]
    assert len(found.events) == 4


def test_every_stored_row_is_validation_or_held_out(replay):
    tab = table(replay, [PERFECT], [ALL_RARE])
    for seed in range(5):
        division = tab.divided(seed)
        assert division.seen.tolist().count(True) == 4
        _, counts = division.validation(1, 1)
        assert counts == ((0, 2), (0, 2))
    assert len({tuple(tab.divided(seed).seen) for seed in range(10)}) > 1


def test_held_out_figures_have_classes_as_common_as_they_are(replay):
    # Named rare: one of four others and three of four rare rows, all among the held-out ones.
    tab = table(replay, ["00010111"])
    held_out = next(
        division.held_out(0, 1)
        for division in map(tab.divided, range(100))
        if not division.seen[3] and not division.seen[4]
    )
    # Of two others one is named rare, and of two rare rows one: 45 of 90 and 5 of 10.
    assert held_out["recall[other]"] == held_out["recall[rare]"] == 0.5
    assert held_out["precision[rare]"] == pytest.approx(5 / (45 + 5))


def test_the_score_over_time_sees_no_later_epoch(replay):
    # Rare for all: recall 1, and the criterion missed by 0.5; perfect: 1; none rare: recall 0.
    tab = table(replay, [ALL_OTHER, ALL_RARE, PERFECT], [ALL_OTHER] * 3)
    division = tab.divided(0)
    found = simulate(replay, Scripted([0.0, 0.1]), tab, budget=6)

    def pick(trials):
        return replay.by_criteria(trials, tab)

    # Epochs in turn: 1 and 1, 2 and 2, 3 and 3. By criteria those that meet them come first: the second stays behind.
    assert replay.score_over_time(found, pick, division, 7).tolist() == [0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0]


def test_what_counts_is_when_the_mean_of_all_seeds_is_as_high_as_the_stocks_last(replay):
    stock = np.array([[0.0, 0.2, 0.4], [0.0, 0.2, 0.6]])  # 0.5 in the end
    assert replay.first_reach(np.array([[0.2, 0.5, 0.4], [0.2, 0.5, 0.4]]), stock) == 2
    assert replay.first_reach(np.array([[np.nan, 0.9, 0.9], [0.9, 0.0, 0.4]]), stock) == 3
    assert replay.first_reach(np.zeros((2, 3)), stock) is None


def test_finalists_are_told_by_their_folds(replay):
    # Both are perfect on validation; on the folds the first names 8 of 10 rare rows, the second 9, with as few errors.
    folds = [(0, [[[20, 0], [2, 8]]]), (1, [[[20, 0], [1, 9]]])]
    tab = table(replay, [PERFECT] * 3, [PERFECT] * 3, folds=folds)
    found = simulate(replay, Scripted([0.0, 0.1]), tab, budget=6)
    figures = {(number, 1): replay.fold_figure(one.folds[0], tab) for number, one in enumerate(tab.configurations)}
    winner = replay.with_finalists(found, tab.divided(0), figures)
    assert (winner.reported, winner.recall, winner.met) == (0.9, 1.0, True)
    assert replay.with_finalists(found, tab.divided(0), {(0, 1): figures[0, 1]}) is None


def test_every_method_of_ours_and_of_the_stock_spends_the_budget(replay):
    tab = table(replay, *[[ALL_RARE, PERFECT, ALL_OTHER]] * 9)
    points = replay.unit_points(tab)
    for make in (*replay.METHODS.values(), *replay.ABLATIONS.values()):
        method = make(tab, 3)
        found = replay.Simulator(method, tab.divided(0), points, 12).run()
        assert len(found.events) == 12
        assert method.winner(found.trials) is not None
