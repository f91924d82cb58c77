"""One child process: started on a leash, remembered by a pid file, ended with everything it started."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

LEASH: Final = Path(__file__).with_name("leash.py")
LOG_BYTES_MAX: Final = 20 * 1024 * 1024


@dataclass(frozen=True, kw_only=True)
class User:
    """The system user a child runs as."""

    uid: int
    gid: int
    name: str


@dataclass(frozen=True)
class Identity:
    """A process as the kernel tells it apart from a later one with the same number."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> "Identity | None":
        """Who has this pid now; None when nobody, or when it is already dead and only waits to be reaped."""
        status = _stat(pid)
        if status is None:
            # Without /proc the number alone must do.
            return None if _has_proc() or not _exists(pid) else cls(pid, "")
        return None if status[0] in "ZX" else cls(pid, status[19])

    def alive(self) -> bool:
        return Identity.of(self.pid) == self


class Process:
    """A running child. Create it with `Process.spawn`, from a thread that outlives it."""

    def __init__(self, popen: subprocess.Popen[bytes], pid_file: Path) -> None:
        self._popen = popen
        self._pid_file = pid_file
        self.started_s = time.monotonic()

    @classmethod
    def spawn(
        cls,
        *,
        argv: Sequence[str],
        env: Mapping[str, str],
        log: Path,
        pid_file: Path,
        cwd: Path | None = None,
        user: User | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
    ) -> "Process":
        """Start `argv`, output appended to `log`. When this thread or process ends, it gets `stop_signal`."""
        uid, gid = (user.uid, user.gid) if user else (-1, -1)
        leash = [
            sys.executable,
            "-I",
            "-S",
            str(LEASH),
            str(os.getpid()),
            str(int(stop_signal)),
            str(uid),
            str(gid),
        ]
        with log.open("ab") as output:
            popen = subprocess.Popen(
                [*leash, "--", *argv],
                env=dict(env),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=cwd or "/",
                start_new_session=True,  # Ctrl-C reaches the supervisor only, which stops things in order
            )
        identity = Identity.of(popen.pid)
        draft = pid_file.with_name(f".{pid_file.name}.new")
        noted = {
            "pid": popen.pid,
            "started": identity.started if identity else "",
            "stop_signal": int(stop_signal),
        }
        draft.write_text(json.dumps(noted))
        draft.replace(pid_file)
        return cls(popen, pid_file)

    @property
    def pid(self) -> int:
        return self._popen.pid

    def exit_code(self) -> int | None:
        """None while it runs; negative when a signal ended it."""
        return self._popen.poll()

    def send(self, number: signal.Signals) -> None:
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def kill_tree(self) -> None:
        """kill -9 for the process and all its descendants."""
        kill_tree(self.pid)
        self._popen.wait()
        self._pid_file.unlink(missing_ok=True)

    def stop(self, *, number: signal.Signals, patience_s: float) -> bool:
        """Ask it to end and wait; past `patience_s` it is killed. True when it went by itself."""
        self.send(number)
        try:
            self._popen.wait(timeout=patience_s)
        except subprocess.TimeoutExpired:
            self.kill_tree()
            return False
        self._pid_file.unlink(missing_ok=True)
        return True


def reap_leftover(pid_file: Path, *, patience_s: float) -> bool:
    """End what an earlier supervisor left running under this pid file. True when there was something."""
    noted = _read_pid_file(pid_file)
    if noted is None:
        return False
    identity, number = noted
    found = identity.alive()
    if found:
        os.kill(identity.pid, number)
        if not wait_until(lambda: not identity.alive(), timeout_s=patience_s):
            kill_tree(identity.pid)
            wait_until(lambda: not identity.alive(), timeout_s=5)
    pid_file.unlink(missing_ok=True)
    return found


def noted_processes(run_folder: Path) -> list[tuple[str, int, bool]]:
    """Name, pid and aliveness of every process noted in a run folder."""
    found = []
    for pid_file in sorted(run_folder.glob("*.pid")):
        noted = _read_pid_file(pid_file)
        if noted is not None:
            found.append((pid_file.stem, noted[0].pid, noted[0].alive()))
    return found


def kill_tree(pid: int) -> None:
    """kill -9 for `pid` and every descendant, also those that made a session of their own."""
    # Stopped first, the parent cannot start another child behind our back.
    for number in (signal.SIGSTOP, signal.SIGKILL):
        for one in [pid, *descendants(pid)]:
            try:
                os.kill(one, number)
            except ProcessLookupError:
                continue


def descendants(pid: int) -> list[int]:
    """Every living process below `pid`."""
    children: dict[int, list[int]] = {}
    for child, parent in _parents().items():
        children.setdefault(parent, []).append(child)
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def wait_until(condition: Callable[[], bool], *, timeout_s: float, pause_s: float = 0.02) -> bool:
    """Poll until `condition()` or the time is up; says which."""
    deadline_s = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline_s:
            return False
        time.sleep(pause_s)
    return True


def rotate_log(log: Path) -> None:
    """Keep one older copy of a log that grew past its limit; the writer appends and need not know."""
    if log.exists() and log.stat().st_size > LOG_BYTES_MAX:
        log.with_suffix(".log.1").write_bytes(log.read_bytes())
        os.truncate(log, 0)


def _read_pid_file(pid_file: Path) -> tuple[Identity, signal.Signals] | None:
    try:
        noted = json.loads(pid_file.read_text())
        number = signal.Signals(int(noted["stop_signal"]))
        return Identity(int(noted["pid"]), str(noted["started"])), number
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _parents() -> dict[int, int]:
    if not _has_proc():
        listing = subprocess.run(
            ["ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True
        ).stdout
        return {int(pid): int(parent) for pid, parent in (line.split() for line in listing.splitlines())}
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _stat(int(entry.name))) is not None:
            found[int(entry.name)] = int(status[1])
    return found


def _stat(pid: int) -> list[str] | None:
    """Fields of /proc/PID/stat from the state on: [0] state, [1] parent, [19] start time."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None


def _has_proc() -> bool:
    return Path("/proc/self/stat").exists()


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
