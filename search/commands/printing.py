"""What several commands print."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from rarecall.analysis.runs.standings import RankBy


def print_notes(notes: Iterable[str]) -> None:
    """What the user should know, beside the output that a program may read."""
    for note in dict.fromkeys(notes):
        click.echo(f"note: {note}", err=True)


def print_leaderboard(run: Any, width: int, limit: int | None, rank_by: "RankBy" = "criteria") -> None:
    """The leaderboard as text, and the finalists below it where there are some."""
    from rarecall.analysis.runs.finalists import finalists as finalists_of
    from rarecall.analysis.runs.leaderboard import leaderboard as rank
    from rarecall.analysis.runs.leaderboard import to_text
    from rarecall.analysis.text.finalists import finalists_text

    click.echo(to_text(rank(run, rank_by), run, width, limit=limit))
    if finals := finalists_of(run):
        click.echo(f"\n{finalists_text(finals, run, width)}")
