"""The clock handed to every process: the wall's, or one a simulation drives."""

import mmap
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol, Self

from fairwatt.server.config import Config
from fairwatt.server.errors import OperatorError

_WORDS: Final = 4  # domain0, wall0, speed, check word
_SIZE: Final = 8 * _WORDS
_MARK: Final = 0x4641495257415454  # a file of zeros is not a clock
_TRIES: Final = 10_000
_PASSING: Final = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""What also counts while the machine sleeps, where it has that."""


class ClockUnreadable(OperatorError):
    """The simulated clock file is absent, short or torn."""


class Clock(Protocol):
    def now_us(self) -> int:
        """Microseconds since the Unix epoch, UTC."""
        ...


class WallClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        return time.time_ns() // 1000


class SteadyClock:
    """The machine's time when this begins, and from then on what has passed: a clock that somebody sets moves nothing.

    For a gateway. Alone it must not take a jump of its clock for days gone by, nor stand still when one is set back.
    What the machine's crystal loses, the head-end's answers correct.
    """

    def __init__(
        self,
        *,
        wall_us: Callable[[], int] = lambda: time.time_ns() // 1000,
        passed_us: Callable[[], int] = lambda: time.clock_gettime_ns(_PASSING) // 1000,
    ) -> None:
        self._passed_us = passed_us
        self._ahead_us = wall_us() - passed_us()

    def now_us(self) -> int:
        return self._passed_us() + self._ahead_us


class FileClock:
    """Domain time from a file several processes share.

    Time is `domain0 + (wall - wall0) * speed`; at speed 0 it stands still at `domain0`.
    """

    def __init__(self, path: Path, *, writable: bool = False) -> None:
        try:
            with path.open("r+b" if writable else "rb") as file:
                access = mmap.ACCESS_WRITE if writable else mmap.ACCESS_READ
                self._words = memoryview(mmap.mmap(file.fileno(), _SIZE, access=access)).cast("q")
        except (OSError, ValueError) as broken:
            raise ClockUnreadable(
                f"The clock file {path} cannot be read ({broken}), so no instant can be trusted and nothing "
                "is charged. Unset FAIRWATT_CLOCK for real time, or start the simulation that drives it "
                "first."
            ) from broken

    def now_us(self) -> int:
        domain0, wall0, speed = self._read()
        return domain0 if speed == 0 else domain0 + (time.time_ns() // 1000 - wall0) * speed

    def _read(self) -> tuple[int, int, int]:
        # The check word makes a half-written clock visible whatever order the other core's stores arrive in.
        for _ in range(_TRIES):
            domain0, wall0, speed, check = self._words
            if domain0 ^ wall0 ^ speed ^ _MARK == check:
                return domain0, wall0, speed
        raise ClockUnreadable(
            "The clock file never became whole: its writer stopped halfway. Restart the simulation."
        )


class ClockFile(FileClock):
    """The one writer of a FileClock."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, writable=True)

    @classmethod
    def create(cls, path: Path, *, domain_us: int, speed: int = 0) -> Self:
        """Make (or take over) the file and set it. A file that is there is kept, so readers stay attached."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            draft = path.with_name(f".{path.name}.{os.getpid()}")
            draft.write_bytes(bytes(_SIZE))
            draft.replace(path)
        clock = cls(path)
        clock.set(domain_us=domain_us, speed=speed)
        return clock

    def set(self, *, domain_us: int, speed: int = 0) -> None:
        """From this moment time is `domain_us` and runs `speed` seconds per real second (0 = frozen)."""
        if speed < 0:
            raise ValueError("time does not run backwards")
        wall_us = time.time_ns() // 1000
        for index, word in enumerate((domain_us, wall_us, speed, domain_us ^ wall_us ^ speed ^ _MARK)):
            self._words[index] = word


def clock_for(config: Config) -> Clock:
    """The clock this process must use: the file FAIRWATT_CLOCK names, else the wall."""
    return WallClock() if config.clock_file is None else FileClock(config.clock_file)
