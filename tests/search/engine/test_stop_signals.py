"""SIGTERM and SIGHUP end a command as Ctrl-C does, with the line that resumes it."""

import signal
import subprocess
import sys

import pytest

PROGRAM = """
import signal, sys, time
# What runs in the background of a shell ignores Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)
from rarecall.search import cli
from rarecall.search.engine.interrupts import interrupts_deferred

@cli.rarecall.command()
def wait():
    try:
        with interrupts_deferred():
            print("ready", flush=True)
            time.sleep(1)
            print("written", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        print("resume with: rarecall", flush=True)
        raise

sys.argv = ["rarecall", "wait"]
cli.main()
"""


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129), (signal.SIGINT, 130)])
def test_a_command_ends_with_what_resumes_it(number, code):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM], stdout=-1, stderr=-1, text=True)
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert (out, process.returncode) == ("written\nresume with: rarecall\n", code)
    assert "Traceback" not in err
