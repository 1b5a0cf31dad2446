import dataclasses
import io
import math
import time

import pytest
from rich.console import Console

from rarecall.analysis.criteria.criterion import parse
from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.runs.run import EndRow, EpochRow, TrialRecord
from rarecall.search.display.live import LiveView, SearchView
from rarecall.search.display.time_left import Plan

GOAL = Goal((parse("recall[common] >= 0.85"), parse("mae[*] <= 1.5")), "minority_recall")
PARAMS = {
    "training.oversampling.ratio": 0.3,
    "training.class_weights.strength": 0.5,
    "training.learning_rate": 0.000123456,
    "model.lora.rank": 8,
}
AMOUNTS = {
    "common": {"rows": 1519, "sampled": 1519, "weight": 1.0},
    "deployed[proven]": {"rows": 26, "sampled": 303, "weight": 2.239},
}


def row(trial, epoch, rare=0.25, common=0.9, mae=1.0):
    metrics = {
        "minority_recall": rare,
        "recall[common]": common,
        "recall[deployed[proven]]": rare,
        "mae[maturity]": mae,
        "macro_f1": 0.5,
    }
    return EpochRow(trial, epoch, metrics, None, 0.1, 1.0, 0.0, None, None, 0.0, 0.0)


def record(trial, epochs=(), status=None, reason=""):
    end = EndRow(trial, status, reason, 0.0) if status else None
    return TrialRecord(trial, PARAMS, list(epochs), end)


def view(*records, trials=16, started=(), goal=GOAL, ago=90.0, **more):
    """A search in which the trials `started` were begun in this session."""
    amounts = dict.fromkeys(started, AMOUNTS)
    return SearchView(
        name="articles",
        goal=goal,
        trials=trials,
        slots=2,
        epochs=3,
        rare=("deployed[proven]",),
        records={record.trial: record for record in records},
        amounts=amounts,
        started=time.monotonic() - ago,
        **more,
    )


def rendered(shown, width=120):
    console = Console(record=True, width=width, file=io.StringIO(), force_terminal=True)
    console.print(LiveView(shown, console).render())
    return console.export_text()


def told(shown, *trials):
    """What is printed where there is no terminal."""
    out = io.StringIO()
    console = Console(file=out, width=80)
    with LiveView(shown, console) as live:
        for trial in trials:
            live.changed(trial)
    return out.getvalue().splitlines()


SOME = (
    record("t0001", [row("t0001", 1), row("t0001", 2, rare=0.5)], "completed"),
    record("t0002", [row("t0002", 1, common=0.2, rare=0.9)], "stopped", "not among the best 33% after epoch 1"),
    record("t0003", [], "failed", "the loss is no longer finite"),
    record("t0004", [row("t0004", 1, rare=0.1)]),
    record("t0005"),
)


def test_trials_are_counted_by_state():
    shown = view(*SOME, started=["t0004", "t0005"])
    assert shown.counts() == {"running": 2, "completed": 1, "stopped": 1, "failed": 1, "waiting": 11}
    assert sum(shown.counts().values()) == 16


def test_a_trial_of_an_earlier_session_waits_until_it_is_taken_up_again():
    shown = view(*SOME, started=["t0005"])
    assert shown.counts() == {"running": 1, "completed": 1, "stopped": 1, "failed": 1, "waiting": 12}
    assert "t0004 epoch" not in rendered(shown)


def test_time_left_counts_epochs():
    """Epochs of 1 s in 2 slots. t0004 has one: of those that got as far, one made 1 more, and it may make 2: 1.5. The
    others: 2, 1 and, as planned, 3 make 2 each, for t0005 and the 11 that wait: (1.5 + 12 · 2) / 2.
    """
    assert view(*SOME, started=["t0004", "t0005"]).seconds_left() == pytest.approx(12.75)
    assert view(record("t0001"), started=["t0001"]).seconds_left() is None
    assert view(*SOME[:3], trials=3).seconds_left() == 0.0


def test_time_left_counts_epochs_by_their_rows():
    """A first epoch takes a fifth of the rows: 4 s for 3 · 0.2 + 1 passes, 2.5 s each. Usually a trial has 1.5 epochs;
    12 of them have (2 + 1 + 1.5) / 3 = 1.5 so, 0.2 + 0.5 passes, and t0004 makes 1.5 more: (1.5 + 12 · 0.7) / 2 · 2.5.
    """
    shown = view(*SOME, started=["t0004", "t0005"], plan=Plan((0.2, 1.0, 1.0), 1.5))
    assert shown.seconds_left() == pytest.approx(12.375)


def test_the_last_trial_is_waited_for():
    """Of two slots one is idle: what the last trial still has to do is not halved."""
    assert view(*SOME[:4], trials=4, started=["t0004"]).seconds_left() == pytest.approx(1.5)


def test_the_best_meets_most_criteria_and_shows_its_best_epoch():
    trial, epoch = view(*SOME).best()
    assert (trial.trial, epoch.epoch) == ("t0001", 2)
    assert view(record("t0001")).best() is None


@pytest.mark.parametrize("width", [80, 120])
def test_the_view_fits_the_terminal_and_says_what_matters(width):
    text = rendered(view(*SOME, started=["t0004", "t0005"]), width)
    assert max(map(len, text.splitlines())) <= width
    words = " ".join(text.split())
    assert "articles 2 running · 1 done · 1 stopped · 1 failed · 11 waiting of 16 1:30 so far, about 0:13 left" in words
    assert "best t0001 epoch 2 2 of 2 criteria · minority recall 50.0 % · recall deployed[proven] 50.0 %" in words
    assert "t0004 epoch 2/3 oversampling 0.3 class_weights 0.5 learning_rate 0.000123 rank 8" in words
    assert "common 1,519 ×1 · deployed[proven] 26→303 ×2.24" in words
    assert "t0005 epoch 1/3" in words


@pytest.mark.parametrize("width", [80, 120])
def test_a_search_that_has_only_begun(width):
    words = " ".join(rendered(view(ago=0.0), width).split())
    assert words == "articles 0 running · 0 done · 0 stopped · 16 waiting of 16 0:00 so far best none yet"


def test_hours_are_shown_as_such():
    assert "2:00:05 so far" in rendered(view(ago=7205.0))


def test_undefined_metrics_are_dashes_and_lose_to_numbers():
    nothing = row("t0001", 1, rare=math.nan, common=math.nan, mae=math.nan)
    unknown = record("t0001", [nothing], "completed")
    text = rendered(view(unknown))
    assert "best  t0001 epoch 1  0 of 2 criteria · minority recall – · recall deployed[proven] –" in text
    assert "best  t0002" in rendered(view(unknown, record("t0002", [row("t0002", 1)]), started=["t0002"]))


def test_without_criteria_none_are_counted():
    assert "best  t0002 epoch 1  minority recall 90.0 %" in rendered(view(*SOME, goal=Goal((), "minority_recall")))


def test_without_a_terminal_each_change_is_one_event():
    lines = told(view(*SOME, started=["t0004", "t0005"]), "t0001", "t0002", "t0003", "t0004", "t0005")
    best = "best so far t0001 epoch 2  2 of 2 criteria · minority recall 50.0 % · recall deployed[proven] 50.0 %"
    assert lines == [
        f"t0001 completed after epoch 2   {best}",
        f"t0002 stopped after epoch 1: not among the best 33% after epoch 1   {best}",
        f"t0003 failed after epoch 0: the loss is no longer finite   {best}",
        "t0004 epoch 1/3  2 of 2 criteria · minority recall 10.0 % · recall deployed[proven] 10.0 %",
        "t0005 started  oversampling 0.3  class_weights 0.5  learning_rate 0.000123  rank 8",
        "      common 1,519 ×1 · deployed[proven] 26→303 ×2.24",
    ]


class StartsAnother(TrialRecord):
    """A trial whose state is asked for just when the recorder adds a new trial."""

    @property
    def status(self):
        records[f"t{len(records):04d}"] = record("new")
        return "running"


records = {}


def test_trials_may_be_added_while_another_thread_draws():
    records["t0000"] = StartsAnother("t0000", {})
    shown = dataclasses.replace(view(), records=records)
    assert shown.counts()["completed"] == 0
    assert "0 done" in rendered(shown)


def test_in_a_terminal_events_are_drawn_and_not_printed():
    out = io.StringIO()
    console = Console(file=out, width=100, force_terminal=True)
    with LiveView(view(*SOME, started=["t0004"]), console) as live:
        live.changed("t0001")
    assert "completed after epoch" not in out.getvalue()
    assert "1 running" in out.getvalue()
