"""The command line. Heavy imports happen inside the commands: reading a finished run needs no torch and no Ray."""

import signal
import sys

import click

from rarecall.analysis.errors import RarecallError
from rarecall.analysis.visible import visible
from rarecall.search.commands import launching, models, preparing, reading
from rarecall.search.commands.help import SectionedGroup
from rarecall.search.engine.interrupts import Stopped, stops_as_interrupts

COMMANDS = (
    preparing.generate,
    preparing.init,
    preparing.profile,
    preparing.estimate,
    preparing.baseline,
    launching.tune,
    launching.train,
    launching.finalists,
    reading.leaderboard,
    reading.evaluate,
    reading.split,
    reading.compare,
    reading.diagnose,
    reading.report,
    models.export,
    models.predict,
)


def main() -> None:
    """Entry point: what a user can mend ends with exit code 2 and no traceback; Ctrl-C with 130, SIGTERM 143."""
    try:
        with stops_as_interrupts():
            sys.exit(rarecall(standalone_mode=False))
    except RarecallError as error:
        click.echo(f"rarecall: {visible(str(error))}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort as abort:  # what click makes of an interrupt
        sys.exit(_stopped(abort.__cause__ or abort.__context__))
    except KeyboardInterrupt as stop:
        sys.exit(_stopped(stop))


def _stopped(stop: BaseException | None) -> int:
    """The exit code of a shell for a command that a signal ended."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


@click.group(cls=SectionedGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rarecall")
def rarecall() -> None:
    """Find the fine-tuning configuration that recalls the rare classes without giving up the common ones."""


for command in COMMANDS:
    rarecall.add_command(command)


if __name__ == "__main__":
    main()
