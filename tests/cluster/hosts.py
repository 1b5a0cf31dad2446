"""Hosts of one's own on one machine: network, process and mount namespaces, with Ray between them.

Each host has an address, processes, a host name, /tmp, home and /dev/shm of its own; `/mnt/shared` is common where
that is asked for. Needs root and iproute2. Nothing reaches out of the machine, and everything is taken down by pid.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

BRIDGE, NAMESPACE, LINK, NET = "rcbr0", "rch", "rcv", "10.77.0"
SHARED = Path("/mnt/shared")
HEAD = 1
PORT = 6379
OBJECT_STORE_BYTES = 300_000_000
BIN = Path(sys.executable).parent

# What the first process of a host does: names itself, and puts folders of its own over those that are everybody's.
BOOT = """
hostname "host$1"
if [ -n "$3" ]; then mkdir -p /mnt/shared; mount --bind "$3" /mnt/shared; fi
mount --bind "$2" /tmp
mount -t tmpfs -o size=2g tmpfs /dev/shm
exec sleep infinity
"""


def sh(*command: object, check: bool = True) -> str:
    """A command's output."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, check=False)
    if check and done.returncode:
        raise RuntimeError(f"{' '.join(map(str, command))}: {done.stderr or done.stdout}")
    return done.stdout


@dataclass
class Host:
    """One host. number: from 1; the head of a cluster is 1. folder: what it sees as /tmp. shared: as /mnt/shared."""

    number: int
    folder: Path
    shared: Path | None = None
    launcher: subprocess.Popen[bytes] | None = None
    inner: int = 0
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def address(self) -> str:
        return f"{NET}.1{self.number}"

    def boot(self) -> None:
        """Start it, empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        (self.folder / "home").mkdir(parents=True)
        unshared = ["unshare", "-m", "-u", "-p", "-f", "--kill-child", "--mount-proc", "bash", "-c", BOOT, "boot"]
        command = ["ip", "netns", "exec", f"{NAMESPACE}{self.number}", *unshared]
        arguments = [str(self.number), str(self.folder), str(self.shared or "")]
        self.launcher = subprocess.Popen([*command, *arguments], start_new_session=True)
        self.inner = self._first_process()

    def _first_process(self) -> int:
        """The process that the others of this host hang on; it has booted once it sleeps."""
        assert self.launcher is not None
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            found = sh("pgrep", "-P", self.launcher.pid, "-x", "sleep", check=False).split()
            if found:
                return int(found[0])
            time.sleep(0.05)
        raise RuntimeError(f"host {self.number} did not boot")

    def command(self, *command: object) -> list[str]:
        """The command line that runs a command there."""
        inside = ["nsenter", "-t", str(self.inner), "-m", "-u", "-p", "-n", "env", "-C", "/tmp"]
        own = {"PATH": f"{BIN}:{os.environ['PATH']}", "HOME": "/tmp/home", "RAY_USAGE_STATS_ENABLED": "0"}
        own |= {"HF_HUB_OFFLINE": "1", **self.environment}
        return [*inside, *(f"{key}={value}" for key, value in own.items()), *map(str, command)]

    def run(self, *command: object, seconds: float = 300, expect: int | None = 0) -> str:
        """Run a command there to its end; what it printed, errors included."""
        done = subprocess.run(
            self.command(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds,
            check=False,
        )
        assert expect is None or done.returncode == expect, f"exit {done.returncode}\n{done.stdout[-4000:]}"
        return done.stdout

    def start(self, *command: object) -> subprocess.Popen[str]:
        """Start a command there; its output comes through a pipe."""
        return subprocess.Popen(
            self.command(*command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def ray(self, *options: object) -> None:
        """Start Ray there: as the head on host 1, elsewhere joined to it."""
        here = [f"--node-ip-address={self.address}", f"--object-store-memory={OBJECT_STORE_BYTES}", *options]
        role = ["--head", f"--port={PORT}"] if self.number == HEAD else [f"--address={NET}.1{HEAD}:{PORT}"]
        self.run("ray", "start", *role, "--disable-usage-stats", *here)

    def off(self) -> None:
        """Power it off: nothing there runs on, and nobody is told."""
        if self.inner:  # 0 would be our own process group
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.inner, signal.SIGKILL)
        if self.launcher is not None:
            self.launcher.kill()
            self.launcher.wait(20)

    def cut(self) -> None:
        """Pull its network cable."""
        sh("ip", "link", "set", f"{LINK}{self.number}", "down")

    def mend(self) -> None:
        """Put the cable back."""
        sh("ip", "link", "set", f"{LINK}{self.number}", "up")


@contextlib.contextmanager
def hosts(count: int, folder: Path, shared: Path | None = None) -> Iterator[list[Host]]:
    """So many hosts, booted; gone afterwards with all that ran on them. folder: for what they keep in /tmp."""
    take_down()
    made = [Host(number, folder / f"host{number}", shared) for number in range(1, count + 1)]
    try:
        _network(count)
        for host in made:
            host.boot()
        yield made
    finally:
        for host in made:
            host.off()
        take_down()


def possible() -> bool:
    """Whether this machine can make hosts."""
    return os.geteuid() == 0 and all(shutil.which(name) for name in ("ip", "unshare", "nsenter", "pgrep"))


def _network(count: int) -> None:
    sh("ip", "link", "add", BRIDGE, "type", "bridge")
    sh("ip", "addr", "add", f"{NET}.1/24", "dev", BRIDGE)
    sh("ip", "link", "set", BRIDGE, "up")
    for number in range(1, count + 1):
        name, link = f"{NAMESPACE}{number}", f"{LINK}{number}"
        sh("ip", "netns", "add", name)
        sh("ip", "link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", name)
        sh("ip", "link", "set", link, "master", BRIDGE, "up")
        inside = ("ip", "netns", "exec", name, "ip")
        sh(*inside, "addr", "add", f"{NET}.1{number}/24", "dev", "eth0")
        sh(*inside, "link", "set", "eth0", "up")
        sh(*inside, "link", "set", "lo", "up")
        sh(*inside, "route", "add", "default", "via", f"{NET}.1")


def take_down() -> None:
    """Remove links, namespaces and the bridge, those of a test that was killed included."""
    for line in sh("ip", "-o", "link", check=False).splitlines():
        name = line.split(":")[1].strip().partition("@")[0]
        if name.startswith(LINK):
            sh("ip", "link", "del", name, check=False)
    for line in sh("ip", "netns", "list", check=False).splitlines():
        name = line.split()[0]
        if name.startswith(NAMESPACE):
            sh("ip", "netns", "del", name, check=False)
    sh("ip", "link", "del", BRIDGE, check=False)
