"""What several commands print."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from rarecall.analysis.visible import visible, visible_json

if TYPE_CHECKING:
    from rarecall.analysis.runs.ranking.standings import RankBy


def echo(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Print what may hold text from outside: of a data file, a ledger, an export."""
    click.echo(visible(text), err=err, nl=nl)


def echo_json(text: str) -> None:
    """Print JSON, which stays what it is."""
    click.echo(visible_json(text))


def print_notes(notes: Iterable[str]) -> None:
    """What the user should know, beside the output that a program may read."""
    for note in dict.fromkeys(notes):
        echo(f"note: {note}", err=True)


def print_leaderboard(run: Any, width: int, limit: int | None, rank_by: "RankBy" = "criteria") -> None:
    """The leaderboard as text, and the finalists below it where there are some."""
    from rarecall.analysis.runs.ranking.finalists import finalists as finalists_of
    from rarecall.analysis.runs.ranking.leaderboard import leaderboard as rank
    from rarecall.analysis.runs.ranking.leaderboard import to_text
    from rarecall.analysis.text.finalists import finalists_text

    echo(to_text(rank(run, rank_by), run, width, limit=limit))
    if finals := finalists_of(run):
        echo(f"\n{finalists_text(finals, run, width)}")
