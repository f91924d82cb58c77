"""Orders that were heard and wait for their bus: each once, however often the head-end offers it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

import structlog

from fairwatt.edge.spool import SpoolError
from fairwatt.wire.commands import Command

log = structlog.get_logger(__name__)

_WAITING_MAX: Final = 4096


class Orders:
    """One queue a bus. ``under_way``: the messages that wait or are being carried out."""

    def __init__(
        self,
        *,
        buses: int,
        obey: Callable[[bytes, Command], Awaitable[None]],
        after: Callable[[], None],
    ) -> None:
        self._obey, self._after = obey, after
        self._queues: list[asyncio.Queue[tuple[bytes, Command]]] = [
            asyncio.Queue(maxsize=_WAITING_MAX) for _ in range(buses)
        ]
        self.under_way: set[bytes] = set()

    def offer(self, message: bytes, command: Command, /, *, bus: int) -> None:
        """Let an order wait for its turn on a bus; one that waits there already is not doubled."""
        if message in self.under_way:
            return
        try:
            self._queues[bus].put_nowait((message, command))
        except asyncio.QueueFull:
            # Neither kept nor answered, so the head-end offers it again.
            log.error("command_queue_full", waiting=self._queues[bus].qsize())
            return
        self.under_way.add(message)

    async def carry_out(self, *, bus: int) -> None:
        """Carry out the orders for the meters of one bus, one after the other, until cancelled."""
        while True:
            message, command = await self._queues[bus].get()
            try:
                await self._obey(message, command)
            except SpoolError as error:
                log.critical("command_not_kept", error=str(error))
            except Exception:
                # One message must not stop the meters from being read; it is offered again.
                log.critical("command_failed", exc_info=True)
            finally:
                self.under_way.discard(message)
            self._after()
