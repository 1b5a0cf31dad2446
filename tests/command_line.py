"""The command line as a user runs it: in a process of its own, or in this one where that is all the same."""

import contextlib
import io
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from rarecall.search import cli
from rarecall.search.cli import main

COMMAND = Path(sys.executable).with_name("rarecall")


def rarecall(folder, *arguments, expect=0, seconds=400):
    """The command in a process of its own, in `folder`; what it printed."""
    done = subprocess.run(
        [COMMAND, *map(str, arguments)], cwd=folder, capture_output=True, text=True, timeout=seconds, check=False
    )
    assert done.returncode == expect, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr
    return done.stdout


def invoked(*arguments: object) -> Result:
    """The command in this process, on a terminal of 80 columns; what it printed and its exit code."""
    result = CliRunner().invoke(cli.rarecall, [str(argument) for argument in arguments], env={"COLUMNS": "80"})
    if result.exception and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def refused(*arguments):
    """The command in this process, which must end with exit code 2; what it says."""
    told = io.StringIO()
    before, sys.argv = sys.argv, ["rarecall", *map(str, arguments)]
    try:
        with contextlib.redirect_stderr(told), pytest.raises(SystemExit) as ended:
            main()
    finally:
        sys.argv = before
    assert ended.value.code == 2
    return told.getvalue()


def write_experiment(folder, experiment):
    """The experiment as `experiment.yaml` in `folder`; its path."""
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(experiment, sort_keys=False))
    return path
