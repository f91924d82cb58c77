"""Where DTUs call: a TCP port of the gateway, for modems that cannot be called themselves.

A DTU says its registration first, then carries bytes like any converter, with a heartbeat in between. Which bus it
is follows from the registration; with none configured, the last one who called is the bus.
"""

import asyncio
from collections.abc import Iterable
from functools import partial
from typing import Final

import structlog

from fairwatt.edge.lines import Line

log = structlog.get_logger(__name__)

_REGISTER_WITHIN_S: Final = 30.0
_CALLERS_MAX: Final = 256


class DtuDoor:
    """One listening port, and who has called it. Registrations are the texts that buses wait for."""

    def __init__(self, *, host: str, port: int, registrations: Iterable[str]) -> None:
        self.host = host
        self.port = port
        self._known = {text.encode(): text for text in registrations}
        self._lines: dict[str, Line] = {}
        self._callers: set[_Caller] = set()
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(partial(_Caller, self), self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Hang up on everyone and stop listening."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for caller in tuple(self._callers):
            caller.close()

    def line(self, *, registration: str) -> Line | None:
        """The open line of the DTU with this registration; None while it has not called."""
        line = self._lines.get(registration)
        return line if line is not None and line.alive else None

    def whom(self, registration: str) -> str:
        """A sentence on who is missing."""
        who = f"the DTU {registration!r}" if registration else "a DTU"
        return f"{who} has not called port {self.port}; its meters are not read meanwhile"

    def match(self, said: bytes) -> tuple[str, bytes] | None:
        """Whose registration these first bytes are, and what came behind it; None while that is open."""
        if b"" in self._known:
            return "", said
        for known, text in self._known.items():
            if said.startswith(known):
                return text, said[len(known) :]
        return None

    def may_become_known(self, said: bytes) -> bool:
        """Whether these bytes begin like some registration."""
        return any(known.startswith(said) for known in self._known)

    def came(self, caller: "_Caller") -> None:
        """Count a caller in."""
        self._callers.add(caller)
        if len(self._callers) > _CALLERS_MAX:
            caller.close()

    def went(self, caller: "_Caller") -> None:
        """Count a caller out."""
        self._callers.discard(caller)

    def registered(self, text: str, line: Line) -> None:
        """A DTU is on the line; one that calls again after a broken radio link takes its old line's place."""
        old = self._lines.get(text)
        self._lines[text] = line
        if old is not None:
            old.close()
        log.info("dtu_registered", registration=text, port=self.port)


class _Caller(Line):
    """A line that somebody else opened, and who has to say first who they are."""

    def __init__(self, door: DtuDoor) -> None:
        super().__init__()
        self._door = door
        self._said = b""
        self._who: str | None = None
        self._patience: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._door.came(self)
        self._patience = asyncio.get_running_loop().call_later(_REGISTER_WITHIN_S, self._lose_patience)
        self._look(b"")

    def data_received(self, data: bytes) -> None:
        if self._who is None:
            self._look(data)
        else:
            super().data_received(data)

    def _look(self, data: bytes) -> None:
        self._said += data
        found = self._door.match(self._said)
        if found is not None:
            self._who, rest = found
            if self._patience is not None:
                self._patience.cancel()
            self._door.registered(self._who, self)
            if rest:
                super().data_received(rest)
        elif not self._door.may_become_known(self._said):
            log.warning("dtu_unknown", port=self._door.port, said=self._said[:40].hex())
            self.close()

    def _lose_patience(self) -> None:
        if self._who is None:
            log.warning("dtu_unknown", port=self._door.port, said="")
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        if self._patience is not None:
            self._patience.cancel()
        self._door.went(self)
