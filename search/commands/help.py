"""What `--help` shows: commands by what a user is about to do, whole sentences, and an example each."""

from collections.abc import Callable
from typing import Any

import click

FIRST = "Look at the data first"
SEARCH = "Search and train"
READ = "Read what came of it"
USE = "Use the winner"
SECTIONS = (FIRST, SEARCH, READ, USE)


class ExplainedCommand(click.Command):
    """A command with its place in the list of commands. section: one of `SECTIONS`."""

    def __init__(self, *arguments: Any, section: str, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.section = section


class SectionedGroup(click.Group):
    """A group that lists its commands by section, each with a whole sentence."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the sections with their commands, in the order in which these were added."""
        for section in SECTIONS:
            rows = [
                (name, command.short_help or "")
                for name, command in self.commands.items()
                if isinstance(command, ExplainedCommand) and command.section == section
            ]
            with formatter.section(section):
                formatter.write_dl(rows)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which a user comes to them."""
        return list(self.commands)


def command(section: str, summary: str, *examples: str) -> Callable[[Callable[..., Any]], ExplainedCommand]:
    """Decorator for a command. summary: a sentence of at most 60 letters. examples: lines that can be copied."""
    told = "\b\n" + "\n".join(["Example:" if len(examples) == 1 else "Examples:", *(f"  {one}" for one in examples)])
    return click.command(cls=ExplainedCommand, section=section, short_help=summary, epilog=told)
