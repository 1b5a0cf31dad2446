"""The ledger: JSON lines, appended by one writer as results arrive, and all that is ever read back of a run.

Every row carries `schema`, `kind` and `time` (seconds since 1970). A row is durable once `append` has returned.
"""

import fcntl
import json
import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import MISSING, Field, fields
from pathlib import Path
from types import TracebackType
from typing import Any

import orjson

from rarecall.analysis.collection import no_collection
from rarecall.analysis.criteria.criterion import check_objective, check_second_objective
from rarecall.analysis.errors import RunError
from rarecall.analysis.plugins.stored import load_stored
from rarecall.analysis.runs.baseline import BaselineRow
from rarecall.analysis.runs.confined import trial_name
from rarecall.analysis.runs.run import (
    EndRow,
    EpochRow,
    OpeningRow,
    Run,
    TrialRecord,
    header_bands,
    header_criteria,
    header_labels,
)
from rarecall.analysis.runs.screen import ScreenRow
from rarecall.analysis.strict_json import dumps

SCHEMA_VERSION = 1
_LINES_AT_ONCE = 1000
LEDGER_NAME = "ledger.jsonl"


def _required(row: type) -> tuple[str, ...]:
    """Fields without a default; the ledger itself adds the time."""
    return tuple(part.name for part in fields(row) if _has_no_default(part) and part.name != "time")


def _has_no_default(part: Field[Any]) -> bool:
    return part.default is MISSING and part.default_factory is MISSING


# What a row of each kind must hold beside schema, kind and time; more keys are welcome and kept.
KEYS = {
    "run": ("run_id", "name", "criteria", "objective", "labels", "data_hash", "versions", "trials_asked", "seed"),
    "trial": ("trial", "params"),
    "epoch": _required(EpochRow),
    "end": _required(EndRow),
    "test": _required(OpeningRow),
    "baseline": _required(BaselineRow),
    "screen": _required(ScreenRow),
}


class Ledger:
    """A ledger opened for appending; a context manager.

    Only one process at a time may hold it: a lock on `ledger.lock` beside the file, which the system lets go of when
    the process dies. What a dying writer left of its last row is dropped on opening.

    Raises:
        RunError: another process holds the ledger.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._lock = _acquire(self.path.with_suffix(".lock"))
        self._file = open(self.path, "ab", buffering=0)  # noqa: SIM115  # held until close
        try:
            _mend(self.path)
            _sync_folder(self.path.parent)
        except BaseException:
            self.close()
            raise

    def append(self, row: Mapping[str, Any]) -> None:
        """Write one row to the disk; `schema` is added, and `time` where the row has none.

        Numbers that are not finite become null; numpy numbers and arrays become plain ones.

        Raises:
            ValueError: an unknown kind or a key of its kind missing.
            RunError: the row could not be written; the file is as it was before.
        """
        _check_keys(row)
        stamped = {"schema": SCHEMA_VERSION, "time": round(time.time(), 3), **row}
        self._write(dumps(stamped).encode() + b"\n")

    def close(self) -> None:
        """Let go of the file and the lock. May be called twice."""
        self._file.close()
        if self._lock >= 0:
            os.close(self._lock)
            self._lock = -1

    def __enter__(self) -> "Ledger":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _write(self, data: bytes) -> None:
        end = os.fstat(self._file.fileno()).st_size
        rest = memoryview(data)
        try:
            while rest:  # an unbuffered file may take a part only
                rest = rest[self._file.write(rest) :]
            os.fsync(self._file.fileno())
        except OSError as error:
            os.ftruncate(self._file.fileno(), end)
            raise RunError(
                f"{self.path}: a row could not be written: {error.strerror} (free space there, then resume the run)"
            ) from error


def read_ledger(path: str | os.PathLike[str]) -> Run:
    """Read a ledger, given its file or its run folder; a ledger that is being written can be read as well.

    A cut last line is left out silently; any other line that cannot be used is left out and told in `Run.problems`.
    Of an epoch told twice the later row counts; a trial told again after its end is running again.

    Raises:
        RunError: no ledger there, or none of its rows is a usable `run` row.
    """
    path = Path(path)
    path = path / LEDGER_NAME if path.is_dir() else path
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise RunError(f"{path}: cannot be read: {error.strerror} (give the folder of a run)") from error
    reader = _Reader(path)
    with no_collection():
        for start in range(0, len(lines), _LINES_AT_ONCE):
            reader.take(start + 1, lines[start : start + _LINES_AT_ONCE], last=len(lines))
    return reader.run()


class _Reader:
    """Collects rows into a Run, and what is wrong with them into problems."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.headers: list[dict[str, Any]] = []
        self.trials: dict[str, TrialRecord] = {}
        self.started: set[str] = set()
        self.epochs: dict[str, dict[int, EpochRow]] = {}
        self.openings: list[OpeningRow] = []
        self.baselines: dict[str, BaselineRow] = {}
        self.screen: ScreenRow | None = None
        self.problems: list[str] = []
        self._kinds: Mapping[Any, Callable[[dict[str, Any]], None]] = {
            "run": self._header,
            "trial": self._trial,
            "epoch": self._epoch,
            "end": self._end,
            "test": self._test,
            "baseline": self._baseline,
            "screen": self._screen,
        }

    def take(self, first: int, lines: Sequence[bytes], *, last: int) -> None:
        """Read lines of which the first has the number `first`; `last` is the number of the ledger's last line."""
        rows = _parsed_together(lines)
        for number, line in enumerate(lines, start=first):
            if rows is not None:
                self._row(number, rows[number - first])
            elif line.strip():
                self._line(number, line, last=number == last)

    def _line(self, number: int, line: bytes, *, last: bool) -> None:
        try:
            row = json.loads(line.decode())
        except (ValueError, RecursionError) as error:
            if not last:
                self._problem(number, f"not a line of JSON: {error}")
            return
        self._row(number, row)

    def _row(self, number: int, row: Any) -> None:
        try:
            self._add(row)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, RecursionError) as error:
            reason = f"{error} is missing" if isinstance(error, KeyError) else str(error)
            self._problem(number, reason)

    def run(self) -> Run:
        if not self.headers:
            problems = "".join(f"\n  {problem}" for problem in self.problems[:5])
            raise RunError(f"{self.path}: must hold a usable `run` row, got none (start the search anew){problems}")
        for trial in sorted(self.trials.keys() - self.started):
            self.problems.append(f"{self.path}: the parameters of trial {trial}, which has no usable `trial` row")
        for trial, epochs in self.epochs.items():
            self.trials[trial].epochs = [epochs[number] for number in sorted(epochs)]
        header = self.headers[-1]
        return Run(
            self.path.parent,
            tuple(self.headers),
            self.trials,
            self.problems,
            header_criteria(header),
            header_labels(header),
            header["objective"],
            header_bands(header),
            live=_held(self.path),
            openings=tuple(self.openings),
            baselines=self.baselines,
            screen=self.screen,
        )

    def _problem(self, number: int, reason: str) -> None:
        self.problems.append(f"{self.path}:{number}: {reason}")

    def _add(self, row: Any) -> None:
        if not isinstance(row, dict):
            raise TypeError(f"a row must be an object, got {type(row).__name__}")
        if row.get("schema") != SCHEMA_VERSION:
            raise ValueError(f"the schema must be version {SCHEMA_VERSION}, got {row.get('schema')!r}")
        add = self._kinds.get(row.get("kind"))
        if add is None:
            raise ValueError(f"the kind must be one of {', '.join(KEYS)}, got {row.get('kind')!r}")
        add(row)

    def _epoch(self, row: Mapping[str, Any]) -> None:
        epoch = EpochRow.from_row(row)
        self._record(epoch.trial)
        self.epochs.setdefault(epoch.trial, {})[epoch.epoch] = epoch

    def _trial(self, row: Mapping[str, Any]) -> None:
        record = self._record(trial_name(row["trial"]))
        record.params, record.end = dict(row["params"]), None
        record.mitigation, record.origin = row.get("mitigation") or {}, str(row.get("origin") or "")
        self.started.add(record.trial)

    def _end(self, row: Mapping[str, Any]) -> None:
        end = EndRow.from_row(row)
        self._record(end.trial).end = end

    def _test(self, row: Mapping[str, Any]) -> None:
        self.openings.append(OpeningRow.from_row(row))

    def _baseline(self, row: Mapping[str, Any]) -> None:
        baseline = BaselineRow.from_row(row)
        self.baselines[baseline.baseline] = baseline

    def _screen(self, row: Mapping[str, Any]) -> None:
        self.screen = ScreenRow.from_row(row)

    def _header(self, row: dict[str, Any]) -> None:
        load_stored(self._home(), row.get("plugins") or (), known=True)
        header_criteria(row)
        header_bands(row)
        check_objective(row["objective"], header_labels(row))
        check_second_objective(row.get("second_objective"), row["objective"], header_labels(row))
        self.headers.append(row)

    def _home(self) -> Path:
        """The run folder; finalists have a ledger of their own within it."""
        folder = self.path.parent
        return folder.parent if (folder.parent / LEDGER_NAME).is_file() else folder

    def _record(self, trial: str) -> TrialRecord:
        if trial not in self.trials:
            self.trials[trial] = TrialRecord(trial)
        return self.trials[trial]


def _parsed_together(lines: Sequence[bytes]) -> list[Any] | None:
    """The rows of sound lines, parsed in one go, which shares their keys; None where one of them is not sound."""
    if not all(line.startswith(b"{") and line.endswith(b"}") for line in lines):
        return None
    try:
        rows = orjson.loads(b"[" + b",".join(lines) + b"]")
    except (ValueError, RecursionError):
        return None
    return rows if len(rows) == len(lines) else None


def _check_keys(row: Mapping[str, Any]) -> None:
    kind = row.get("kind")
    if kind not in KEYS:
        raise ValueError(f"the kind of a row must be one of {', '.join(KEYS)}, got {kind!r}")
    missing = [key for key in KEYS[kind] if key not in row]
    if missing:
        raise ValueError(f"a row of kind {kind} must hold {', '.join(KEYS[kind])}, got none of {', '.join(missing)}")


def _acquire(path: Path) -> int:
    """Hold the lock file, which names its holder; gives its file descriptor."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        holder = os.read(lock, 200).decode(errors="replace").strip() or "another process"
        os.close(lock)
        raise RunError(
            f"{path.parent}: a run may have one writer, got a second while {holder} writes"
            " (wait for it, or stop it with Ctrl-C, then try again)"
        ) from error
    os.ftruncate(lock, 0)
    os.write(lock, f"process {os.getpid()} on {socket.gethostname()}".encode())
    return lock


def _held(path: Path) -> bool:
    """Whether somebody writes the ledger now; a lock that cannot be asked is no writer."""
    try:
        lock = os.open(path.with_suffix(".lock"), os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    finally:
        os.close(lock)
    return False


def _mend(path: Path) -> None:
    """Drop what a dying writer left of its last row; a row that only lacks its newline gets it."""
    data = path.read_bytes()
    keep = data.rfind(b"\n") + 1
    if keep == len(data):
        return
    with open(path, "r+b") as file:
        if _is_json(data[keep:]):
            file.seek(len(data))
            file.write(b"\n")
        else:
            file.truncate(keep)
        file.flush()
        os.fsync(file.fileno())


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def _sync_folder(folder: Path) -> None:
    """Make the creation of the file as durable as its rows."""
    handle = os.open(folder, os.O_RDONLY)
    os.fsync(handle)
    os.close(handle)
