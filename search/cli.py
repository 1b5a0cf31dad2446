"""The command line. Heavy imports happen inside the commands: reading a finished run needs no torch and no Ray."""

import sys

import click

from rarecall.analysis.errors import RarecallError
from rarecall.search.commands import launching, models, preparing, reading

COMMANDS = (
    preparing.generate,
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
    """Entry point: what a user can mend ends with exit code 2 and no traceback; Ctrl-C with 130."""
    try:
        sys.exit(rarecall(standalone_mode=False))
    except RarecallError as error:
        click.echo(f"rarecall: {error}", err=True)
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="rarecall")
def rarecall() -> None:
    """Find the fine-tuning configuration that recalls the rare classes without giving up the common ones."""


for command in COMMANDS:
    rarecall.add_command(command)


if __name__ == "__main__":
    main()
