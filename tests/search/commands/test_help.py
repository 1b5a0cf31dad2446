"""What `--help` shows: whole sentences at 80 columns, by section, with examples that can be run."""

import shlex

import click
import pytest
from click.testing import CliRunner

from rarecall.search.cli import COMMANDS, rarecall
from rarecall.search.commands.help import SECTIONS

WIDTH = 80
NAMES = [command.name for command in COMMANDS]


def help_of(*arguments):
    found = CliRunner().invoke(rarecall, [*arguments, "--help"], terminal_width=WIDTH)
    assert found.exit_code == 0
    return found.output


def test_every_command_is_listed_once_with_a_whole_sentence():
    lines = help_of().splitlines()
    listed = [line.split()[0] for line in lines if line.startswith("  ") and line.split()[0] in NAMES]
    assert sorted(listed) == sorted(NAMES)
    for command in COMMANDS:
        (line,) = (line for line in lines if line.split()[:1] == [command.name])
        assert line.endswith(".")
        assert not line.endswith("...")
        assert len(line) <= WIDTH
    assert [line.removesuffix(":") for line in lines if line.removesuffix(":") in SECTIONS] == list(SECTIONS)


@pytest.mark.parametrize("command", COMMANDS, ids=NAMES)
def test_nothing_is_cut_and_every_example_is_a_command_line(command):
    text = help_of(command.name)
    told = [line.strip() for line in text.splitlines()]
    assert not [line for line in told if line.endswith("...") and not line.startswith("Usage")]
    assert max(map(len, text.splitlines())) <= WIDTH
    examples = [line for line in told if line.startswith("rarecall ")]
    assert examples
    for example in examples:
        program, name, *arguments = shlex.split(example.partition(" > ")[0])
        assert (program, name) == ("rarecall", command.name)
        with command.make_context(name, arguments, resilient_parsing=False) as context:
            assert isinstance(context, click.Context)
