"""One calm view of a running search: what runs, what is done, the best so far, the time left."""

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rich.console import Console, ConsoleRenderable, Group
from rich.live import Live
from rich.text import Text

from rarecall.analysis.criteria.goal import Goal
from rarecall.analysis.criteria.ranking import best_epoch, judge, rank_key
from rarecall.analysis.runs.run import EpochRow, TrialRecord
from rarecall.search.display.time_left import Plan, seconds_left


@dataclass
class SearchView:
    """The state that is shown.

    records: shared with the recorder. trials: asked for. plan: what trials are to do, None where each goes to its end.
    amounts: of each trial begun in this session, per class, rows, sampled rows and weight.
    """

    name: str
    goal: Goal
    trials: int
    slots: int
    epochs: int
    rare: tuple[str, ...]
    records: Mapping[str, TrialRecord]
    plan: Plan | None = None
    amounts: dict[str, Mapping[str, Mapping[str, float]]] = field(default_factory=dict)
    started: float = field(default_factory=time.monotonic)

    def running(self) -> list[TrialRecord]:
        """Trials that this session has begun and not ended; what an earlier one left unfinished waits for its turn."""
        return [record for record in self._records() if record.status == "running" and record.trial in self.amounts]

    def counts(self) -> dict[str, int]:
        """Trials by state; `waiting` are all that have neither ended nor been begun in this session."""
        states = [record.status for record in self._records()]
        counted = {state: states.count(state) for state in ("completed", "stopped", "failed")}
        running = len(self.running())
        return {"running": running, **counted, "waiting": max(0, self.trials - running - sum(counted.values()))}

    def best(self) -> tuple[TrialRecord, EpochRow] | None:
        """The leading trial and its best epoch."""
        goal = self.goal
        held = [
            (record, best_epoch(record.epochs, goal.criteria, goal.objective))
            for record in self._records()
            if record.epochs
        ]
        return max(held, key=lambda pair: rank_key(pair[1].metrics, goal.criteria, goal.objective), default=None)

    def _records(self) -> list[TrialRecord]:
        """Taken in one go, since the recorder adds to them while another thread draws."""
        return list(self.records.values())

    def seconds_left(self) -> float | None:
        """By what epochs took so far; None before the first one."""
        records, plan = self._records(), self.plan or Plan.whole(self.epochs)
        return seconds_left(records, self.running(), self.counts()["waiting"], self.slots, plan)


class LiveView:
    """Draws the view in a terminal, or prints one line per event where there is none."""

    def __init__(self, view: SearchView, console: Console) -> None:
        self._view, self._console = view, console
        self._live = Live(console=console, get_renderable=self.render, refresh_per_second=2, transient=True)

    def __enter__(self) -> "LiveView":
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def changed(self, trial: str) -> None:
        """Tell what just happened to a trial, where nothing is drawn anyway."""
        if not self._console.is_terminal:
            self._console.print(self._event(self._view.records[trial]), markup=False, highlight=False, soft_wrap=True)

    def retried(self, trial: str, reason: str) -> None:
        """Tell why a trial is tried again; in a terminal the line stays above what is drawn."""
        epochs = self._view.records[trial].epochs if trial in self._view.records else []
        after = f"after epoch {epochs[-1].epoch}" if epochs else "from its beginning"
        self._console.print(f"{trial} resumes {after}: {reason}", markup=False, highlight=False, soft_wrap=True)

    def render(self) -> ConsoleRenderable:
        return Group(self._headline(), self._best(), *(self._trial(record) for record in self._view.running()))

    def _headline(self) -> Text:
        view, counts = self._view, self._view.counts()
        left = view.seconds_left()
        times = f"{clock(time.monotonic() - view.started)} so far" + (
            f", about {clock(left)} left" if left is not None else ""
        )
        states = f"{counts['running']} running · {counts['completed']} done · {counts['stopped']} stopped"
        failed = f" · {counts['failed']} failed" if counts["failed"] else ""
        return Text(
            f"{view.name}  {states}{failed} · {counts['waiting']} waiting of {view.trials}   {times}", style="bold"
        )

    def _best(self) -> Text:
        return Text("best  " + self._best_words(), style="green")

    def _best_words(self) -> str:
        best = self._view.best()
        if best is None:
            return "none yet"
        record, row = best
        return f"{record.trial} epoch {row.epoch}  {self._figures(row)}"

    def _figures(self, row: EpochRow) -> str:
        goal = self._view.goal
        met = sum(verdict.status == "met" for verdict in judge(row.metrics, goal.criteria))
        criteria = f"{met} of {len(goal.criteria)} criteria · " if goal.criteria else ""
        rare = " · ".join(f"{name} {_percent(row.metrics.get(f'recall[{name}]'))}" for name in self._view.rare)
        return f"{criteria}minority recall {_percent(row.metrics.get('minority_recall'))} · recall {rare}"

    def _trial(self, record: TrialRecord) -> Text:
        done = record.epochs[-1].epoch if record.epochs else 0
        text = Text(
            f"{record.trial} epoch {min(done + 1, self._view.epochs)}/{self._view.epochs}  {_params(record.params)}"
        )
        if record.trial in self._view.amounts:
            text.append("\n      " + amounts_line(self._view.amounts[record.trial]), style="dim")
        return text

    def _event(self, record: TrialRecord) -> str:
        if record.end is not None:
            reason = f": {record.end.reason}" if record.end.reason else ""
            ended = f"{record.trial} {record.end.status} after epoch {len(record.epochs)}{reason}"
            return f"{ended}   best so far {self._best_words()}"
        if record.epochs:
            row = record.epochs[-1]
            return f"{record.trial} epoch {row.epoch}/{self._view.epochs}  {self._figures(row)}"
        started = f"{record.trial} started  {_params(record.params)}"
        if record.trial in self._view.amounts:
            started += f"\n      {amounts_line(self._view.amounts[record.trial])}"
        return started


def amounts_line(amounts: Mapping[str, Mapping[str, float]]) -> str:
    """Rows, rows after oversampling and weight of each class, on one line.

    >>> common, rare = {"rows": 1519, "sampled": 1519, "weight": 1.0}, {"rows": 26, "sampled": 303, "weight": 2.24}
    >>> amounts_line({"common": common, "rare": rare})
    'common 1,519 ×1 · rare 26→303 ×2.24'
    """

    def one(name: str, entry: Mapping[str, float]) -> str:
        grown = f"→{entry['sampled']:,}" if entry["sampled"] != entry["rows"] else ""
        capped = " (capped)" if entry.get("capped") else ""
        return f"{name} {entry['rows']:,}{grown} ×{entry['weight']:.3g}{capped}"

    return " · ".join(one(name, entry) for name, entry in amounts.items())


def _params(params: Mapping[str, Any]) -> str:
    return "  ".join(f"{_short(key)} {_value(value)}" for key, value in params.items())


def _short(key: str) -> str:
    """The last part of a key, or the one before where that says more; `training.` before everything says nothing."""
    section, _, name = key.rpartition(".")
    section = section.rpartition(".")[2]
    return section if name in ("ratio", "strength", "fit") else name


def _value(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _percent(value: float | None) -> str:
    return "–" if value is None or value != value else f"{value:.1%}".replace("%", " %")


def clock(seconds: float) -> str:
    """Seconds as a clock shows them.

    >>> clock(75), clock(3675)
    ('1:15', '1:01:15')
    """
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
