"""The whole product, running for real under a clock that the simulation holds."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from fairwatt.server.clock import ClockFile
from fairwatt.server.config import Config
from fairwatt.server.launcher.fleet import PROGRAM, Fleet
from fairwatt.server.launcher.services import Services
from fairwatt.server.wiring import use_django


class Stack:
    """PostgreSQL, NATS, a head-end per book and the web, in domain time; `with Stack(...) as stack`."""

    def __init__(
        self,
        *,
        state: Path,
        domain_us: int,
        say: Callable[[str], None] | None = None,
        program: Sequence[str] = PROGRAM,
    ) -> None:
        self._program = program
        self.config = replace(Config.load(), state=state, clock_file=state / "clock")
        self._domain_us = domain_us
        self._say = say
        self.clock: ClockFile
        self.services: Services
        self.fleet: Fleet

    def __enter__(self) -> Self:
        self.config.state.mkdir(mode=0o711, parents=True, exist_ok=True)
        clock_file = self.config.state / "clock"
        self.clock = ClockFile.create(clock_file, domain_us=self._domain_us)
        self.services = Services(self.config, say=self._say)
        self.services.start()
        os.environ["FAIRWATT_STATE"] = str(self.config.state)
        os.environ["FAIRWATT_CLOCK"] = str(clock_file)
        use_django(role="web")
        self.fleet = Fleet(self.services, program=self._program)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.services.stop()

    def open_doors(self) -> None:
        """Let the gateways of the database in, start a head-end for each book, and the web."""
        self.fleet.keep_in_step()
        self.fleet.start_web()
        self.services.wait_ready("web")

    def kill(self, target: str, *, book: int) -> None:
        """kill -9 one of: poster, postgres, nats."""
        self.services.kill(f"headend-{book}" if target == "poster" else target)
