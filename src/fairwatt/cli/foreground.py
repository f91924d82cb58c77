"""Staying in the foreground, and leaving it in order."""

import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final, NoReturn

STOPPING: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
STEP_S: Final = 1.0


@contextmanager
def stop_signals() -> Iterator[None]:
    """Inside, the first stop signal ends the block in order; those after it cannot interrupt the stopping."""
    before = {number: signal.signal(number, _stop_once) for number in STOPPING}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def serve_until_stopped(*, announce: Callable[[], object], step: Callable[[], object] = lambda: None) -> None:
    """Call `announce`, then `step` every second until a stop signal comes; that is no failure."""
    try:
        announce()
        while True:
            step()
            time.sleep(STEP_S)
    except KeyboardInterrupt:
        return


def _stop_once(number: int, frame: FrameType | None) -> NoReturn:
    for other in STOPPING:
        signal.signal(other, signal.SIG_IGN)
    raise KeyboardInterrupt
