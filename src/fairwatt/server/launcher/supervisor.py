"""Starts processes, brings back those that die, and ends all of them in reverse order."""

import queue
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from fairwatt.server.errors import OperatorError
from fairwatt.server.launcher.process import Process, User, reap_leftover, rotate_log

BACKOFF_FIRST_S: Final = 0.1
BACKOFF_MOST_S: Final = 10.0
SETTLED_S: Final = 30.0
"""A process that ran this long starts its next backoff from the beginning."""
FIRST_START_DEATHS_MAX: Final = 3
"""A process that dies this often at its first start has a fault to show, not a crash to ride out."""
ROTATE_EVERY_S: Final = 60.0


class StartFailed(OperatorError):
    """A process did not become ready; the text ends with the last lines of its log."""


@dataclass(frozen=True, kw_only=True)
class ProcessSpec:
    """What to run, and how to know that it is ready."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str]
    ready: Callable[[int], bool] = field(default=lambda pid: True)
    """Given the pid; may raise nothing, must answer fast."""
    before_start: Callable[[], None] = field(default=lambda: None)
    """Runs ahead of each start and each restart."""
    cwd: Path | None = None
    user: User | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    ready_timeout_s: float = 30.0
    stop_patience_s: float = 15.0


@dataclass(frozen=True, kw_only=True)
class Status:
    """One supervised process as `fairwatt status` shows it."""

    name: str
    pid: int | None
    ready: bool
    restarts: int
    uptime_s: int


class _Child:
    def __init__(self, spec: ProcessSpec) -> None:
        self.spec = spec
        self.process: Process | None = None
        self.restarts = 0
        self.backoff_s = BACKOFF_FIRST_S
        self.next_start_s = 0.0

    def is_ready(self) -> bool:
        process = self.process
        return process is not None and process.exit_code() is None and self.spec.ready(process.pid)


class Supervisor:
    """Runs ProcessSpecs. All starting and stopping happens on its one thread.

    One thread, because the kernel ties a child's leash to the thread that started it.
    """

    def __init__(
        self, *, run_folder: Path, log_folder: Path, say: Callable[[str], None] | None = None
    ) -> None:
        self._run_folder = run_folder
        self._log_folder = log_folder
        self._say = say or (lambda line: print(line, file=sys.stderr, flush=True))
        self._children: dict[str, _Child] = {}
        self._orders: queue.SimpleQueue[_Order] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._loop, name="supervisor", daemon=True)
        self._thread.start()

    def start(self, spec: ProcessSpec) -> None:
        """Start a process and return when it is ready; raises StartFailed, and then does not try on."""
        self._ask(lambda: self._add(spec))
        try:
            self.wait_ready(spec.name, deaths_max=FIRST_START_DEATHS_MAX)
        except StartFailed:
            self.stop(spec.name)
            raise

    def wait_ready(self, name: str, *, deaths_max: int | None = None) -> None:
        """Return when `name` is ready, also after a crash; raises StartFailed when its time is up.

        With `deaths_max` it gives up sooner, once the process has died that often.
        """
        child = self._children[name]
        deadline_s = time.monotonic() + child.spec.ready_timeout_s
        while not child.is_ready():
            if time.monotonic() > deadline_s or (deaths_max is not None and child.restarts >= deaths_max):
                raise StartFailed(
                    f"{name} did not start, so nothing is read or charged; supply stays as it is. The end of "
                    f"{self._log(name)}:\n{self._tail(name)}"
                )
            time.sleep(0.02)

    def kill(self, name: str) -> None:
        """kill -9 for a process and all below it, as a crash would; it is then restarted as after one."""
        self._ask(lambda: self._kill(name))

    def send(self, name: str, number: signal.Signals) -> None:
        """Send a signal to a supervised process."""
        self._ask(lambda: self._send(name, number))

    def stop(self, name: str) -> None:
        """Stop one process for good."""
        self._ask(lambda: self._stop(name))

    def status(self) -> tuple[Status, ...]:
        return self._ask(lambda: tuple(self._status(child) for child in self._children.values()))

    def close(self) -> None:
        """Stop everything, the last started first, and end the supervisor."""
        if self._thread.is_alive():
            self._ask(self._stop_all)
            self._thread.join()

    # --- below here runs on the supervisor's own thread

    def _loop(self) -> None:
        next_rotation_s = time.monotonic() + ROTATE_EVERY_S
        while True:
            try:
                order = self._orders.get(timeout=0.05)
            except queue.Empty:
                order = None
            if order is not None:
                order.run()
                if order.last:
                    return
            for child in self._children.values():
                self._tend(child)
            if time.monotonic() > next_rotation_s:
                next_rotation_s += ROTATE_EVERY_S
                for name in self._children:
                    rotate_log(self._log(name))

    def _tend(self, child: _Child) -> None:
        now_s = time.monotonic()
        if child.process is not None and (code := child.process.exit_code()) is not None:
            if now_s - child.process.started_s > SETTLED_S:
                child.backoff_s = BACKOFF_FIRST_S
            child.process.kill_tree()  # what it started must not outlive it
            child.process = None
            child.restarts += 1
            child.next_start_s = now_s + child.backoff_s
            child.backoff_s = min(child.backoff_s * 2, BACKOFF_MOST_S)
            self._say(f"{child.spec.name} ended ({_reason(code)}); starting it again")
        if child.process is None and now_s >= child.next_start_s:
            self._spawn(child)

    def _add(self, spec: ProcessSpec) -> None:
        if spec.name in self._children:
            raise ValueError(f"{spec.name} is already supervised")
        pid_file = self._run_folder / f"{spec.name}.pid"
        if reap_leftover(pid_file, patience_s=spec.stop_patience_s):
            self._say(f"{spec.name} was still running from an earlier start; ended it first")
        child = _Child(spec)
        self._spawn(child)
        self._children[spec.name] = child

    def _spawn(self, child: _Child) -> None:
        spec = child.spec
        try:
            spec.before_start()
            child.process = Process.spawn(
                argv=spec.argv,
                env=spec.env,
                log=self._log(spec.name),
                pid_file=self._run_folder / f"{spec.name}.pid",
                cwd=spec.cwd,
                user=spec.user,
                stop_signal=spec.stop_signal,
            )
        except OSError as failure:
            child.next_start_s = time.monotonic() + child.backoff_s
            child.backoff_s = min(child.backoff_s * 2, BACKOFF_MOST_S)
            child.restarts += 1
            self._say(f"{spec.name} cannot be started: {failure}")

    def _kill(self, name: str) -> None:
        child = self._children[name]
        if child.process is not None:
            child.process.kill_tree()

    def _send(self, name: str, number: signal.Signals) -> None:
        process = self._children[name].process
        if process is not None:
            process.send(number)

    def _stop(self, name: str) -> None:
        child = self._children.pop(name)
        process = child.process
        if process is not None and not process.stop(
            number=child.spec.stop_signal, patience_s=child.spec.stop_patience_s
        ):
            self._say(f"{name} did not stop in {child.spec.stop_patience_s:.0f} s and was killed")

    def _stop_all(self) -> None:
        for name in reversed(list(self._children)):
            self._stop(name)

    def _status(self, child: _Child) -> Status:
        process = child.process
        return Status(
            name=child.spec.name,
            pid=process.pid if process else None,
            ready=child.is_ready(),
            restarts=child.restarts,
            uptime_s=int(time.monotonic() - process.started_s) if process else 0,
        )

    # --- helpers

    def _ask[T](self, act: Callable[[], T]) -> T:
        order = _Order(act, last=act == self._stop_all)
        self._orders.put(order)
        return order.answer()  # type: ignore[no-any-return]

    def _log(self, name: str) -> Path:
        return self._log_folder / f"{name}.log"

    def _tail(self, name: str, lines: int = 12) -> str:
        try:
            return "\n".join(self._log(name).read_text(errors="replace").splitlines()[-lines:])
        except FileNotFoundError:
            return "(it wrote nothing)"


class _Order:
    """Something to do on the supervisor's thread, and its outcome."""

    def __init__(self, act: Callable[[], Any], *, last: bool) -> None:
        self._act = act
        self.last = last
        self._done = threading.Event()
        self._result: Any = None
        self._error: BaseException | None = None

    def run(self) -> None:
        try:
            self._result = self._act()
        except BaseException as error:  # handed to the caller, who knows what it means
            self._error = error
        self._done.set()

    def answer(self) -> Any:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._result


def _reason(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
