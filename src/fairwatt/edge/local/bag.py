"""The courier's two ways: signed orders and acknowledgements in, signed records out. Nothing is done twice."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, Protocol

import structlog

from fairwatt.edge.config import EdgeConfig
from fairwatt.edge.link import Link
from fairwatt.edge.spool import Spool
from fairwatt.edge.standing import Keys
from fairwatt.wire import courier
from fairwatt.wire.errors import FrameError
from fairwatt.wire.frames import MAX_ITEMS, UpFrame, encode_up

log = structlog.get_logger(__name__)

FRAME_BYTES: Final = 16 * 1024
"""So much at a time: a lost BLE link loses little."""
_OBEY_WITHIN_S: Final = 60.0


class TakesCommands(Protocol):
    """Queues a signed command as one from the line; returns False where it is not for here."""

    def __call__(self, message: bytes, /) -> Awaitable[bool]: ...


class Bags:
    """What a courier loads and unloads at one gateway."""

    def __init__(
        self,
        *,
        config: EdgeConfig,
        issuers: Callable[[], Keys],
        spool: Spool,
        link: Link,
        boot_id: bytes,
        obey: TakesCommands,
        now: Callable[[], int],
    ) -> None:
        self._config, self._issuers = config, issuers
        self._spool, self._link = spool, link
        self._boot_id, self._obey, self._now = boot_id, obey, now

    def waiting(self) -> int:
        """How many records nobody has acknowledged."""
        return self._spool.count

    async def take_command(self, message: bytes) -> tuple[str, int]:
        """Obey a command as if it had come by the line: signature, number, expiry, receipt, all the same."""
        try:
            async with asyncio.timeout(_OBEY_WITHIN_S):
                known = await self._obey(message)
        except TimeoutError:
            return "waits", 0
        return ("taken" if known else "refused"), 0

    def take_ack(self, message: bytes) -> tuple[str, int]:
        """Delete what the head-end says is stored, if it says so itself."""
        gateway = self._config.gateway
        try:
            ack = courier.verify_ack(message=message, gateway=gateway, keys=self._issuers())
        except FrameError as error:
            log.error("courier_ack_refused", code=error.code, error=str(error))
            return "refused", 0
        return "taken", self._link.take_carried(ack)

    def next_frame(self, *, after_seq: int) -> tuple[bytes | None, int]:
        """The next signed frame behind a record, and the newest record there is. Asking again gives it again."""
        spool = self._spool
        after = max(after_seq, spool.acked_seq)
        last = spool.last_seq
        # Whatever leaves this memory may reach the head-end: an older copy of it must be known by that.
        spool.note_given()
        items = spool.read(after_seq=after, max_bytes=FRAME_BYTES, max_items=MAX_ITEMS)
        if not items:
            return None, last
        if items[0].seq != after + 1 and after > spool.acked_seq:
            # Readings were dropped here to make room. A gap inside one frame says so; between two it would look
            # as if the courier had lost one.
            items = spool.read(after_seq=after - 1, max_bytes=FRAME_BYTES, max_items=MAX_ITEMS)
        uptime_ms = int(asyncio.get_running_loop().time() * 1000)
        oldest = min(spool.oldest_seq(), items[0].seq) if after > spool.acked_seq else items[0].seq
        frame = UpFrame(spool.epoch, self._boot_id, uptime_ms, self._now(), oldest, False, tuple(items))
        signed = courier.sign_frame(
            gateway=self._config.gateway,
            last_seq=last,
            data=encode_up(frame),
            key=self._config.key,
            kid=self._config.kid,
        )
        return signed, last
