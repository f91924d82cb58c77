"""What a visitor may ask for over the local link, each under the right it needs.

op  args                 result                                                         right
1   []                   [gateway, clock_us, waiting, [[meter, home, register_wh, at_us, relay,
                          available_micro, restored_until_us], ...]]                     LOOK
2   [meter, text]        [outcome, until_us, wait_s, hours, amount]                      CODE
3   [meter, hours]       as 2                                                            RESTORE
4   [kind, message]      [what became of it, number]; kind 0 a command, 1 an ack         COURIER
5   [after_seq]          [signed frame or null, last_seq]; after 0: from the oldest      COURIER
"""

from collections.abc import Awaitable, Callable
from enum import IntEnum
from typing import Final, Protocol

import structlog

from fairwatt.edge.local.answers import Answer
from fairwatt.edge.local.bag import Bags
from fairwatt.edge.local.homes import Homes
from fairwatt.edge.spool import SpoolError
from fairwatt.wire import cbor
from fairwatt.wire.errors import BadShape, FrameError
from fairwatt.wire.local import LocalRefused, Request
from fairwatt.wire.permits import Permit, Right

log = structlog.get_logger(__name__)

_U64: Final = (1 << 64) - 1
_FULL: Final = (
    "this gateway's memory cannot be written, so nothing new is done; supply is as it was. Carry its records out, or "
    "have its disk mended"
)
_FAILED: Final = (
    "this gateway could not do that; what it did of it, it will not do twice. Supply shows in a look. Tell the "
    "operator: its log names the fault"
)


class Op(IntEnum):
    """What can be asked for."""

    LOOK = 1
    CODE = 2
    RESTORE = 3
    LOAD = 4
    UNLOAD = 5


NEEDS: Final = {
    Op.LOOK: Right.LOOK,
    Op.CODE: Right.CODE,
    Op.RESTORE: Right.RESTORE,
    Op.LOAD: Right.COURIER,
    Op.UNLOAD: Right.COURIER,
}


class TakesCodes(Protocol):
    """Enters codes and permits with the meter's bus for itself."""

    async def enter(self, *, meter: int, text: str, proven: bool) -> Answer: ...

    async def restore(self, *, meter: int, hours: int, permit: Permit) -> Answer: ...


class Session(Protocol):
    """A visitor who proved himself: his permit, and how he is answered."""

    permit: Permit | None

    def take(self, payload: bytes, /) -> tuple[bytes | None, Request | None]: ...

    def result(self, request: Request, value: object) -> bytes: ...

    def refusal(self, request: Request, code: str, text: str) -> bytes: ...


class Desk:
    """Carries out requests of visitors who proved themselves."""

    def __init__(
        self, *, gateway: str, codes: TakesCodes, bags: Bags, homes: Homes, now: Callable[[], int]
    ) -> None:
        self.failed = 0
        """requests that ended in an error of this gateway since it started"""
        self._gateway, self._codes, self._bags, self._homes, self._now = gateway, codes, bags, homes, now

    async def serve(self, session: Session, request: Request, /) -> bytes:
        """Carry out one request; what to send back. A refusal is an answer, too."""
        assert session.permit is not None
        try:
            return session.result(request, await self.carry_out(session.permit, request))
        except LocalRefused as error:
            return session.refusal(request, error.code, str(error))
        except FrameError as error:
            return session.refusal(request, error.code, str(error))
        except Exception as error:
            # One request must not shut the door to the next visitor, least of all on a line that has only one.
            self.failed += 1
            full = isinstance(error, SpoolError)
            log.error(
                "local_request_failed", op=request.op, failed=self.failed, exc_info=not full, error=str(error)
            )
            return session.refusal(request, "memory_full" if full else "failed", _FULL if full else _FAILED)

    async def carry_out(self, permit: Permit, request: Request, /) -> object:
        """The result of a request. Raises LocalRefused, or a FrameError for arguments that cannot be."""
        try:
            op = Op(request.op)
        except ValueError:
            raise LocalRefused("unknown_op", "this gateway knows no such request; nothing was done") from None
        if NEEDS[op] not in permit.rights:
            raise LocalRefused("not_permitted", "your permit does not allow this; nothing was done")
        work: dict[Op, Callable[[Permit, list[object]], Awaitable[object]]] = {
            Op.LOOK: self._look,
            Op.CODE: self._code,
            Op.RESTORE: self._restore,
            Op.LOAD: self._load,
            Op.UNLOAD: self._unload,
        }
        return await work[op](permit, request.args)

    async def _look(self, permit: Permit, args: list[object]) -> object:
        _arguments(args, 0)
        rows = [list(self._homes.state(meter)) for meter in self._homes.meters() if permit.covers(meter)]
        return [self._gateway, self._now(), self._bags.waiting(), rows]

    async def _code(self, permit: Permit, args: list[object]) -> object:
        meter = self._meter(permit, _arguments(args, 2)[0])
        text = cbor.text(args[1], what="the code", max_chars=80)
        return list(await self._codes.enter(meter=meter, text=text, proven=True))

    async def _restore(self, permit: Permit, args: list[object]) -> object:
        meter = self._meter(permit, _arguments(args, 2)[0])
        hours = cbor.integer(args[1], what="hours", low=1, high=1000)
        return list(await self._codes.restore(meter=meter, hours=hours, permit=permit))

    async def _load(self, permit: Permit, args: list[object]) -> object:
        kind = cbor.integer(_arguments(args, 2)[0], what="the kind of message", high=1)
        message = cbor.octets(args[1], what="the message")
        if kind == 1:
            return list(self._bags.take_ack(message))
        return list(await self._bags.take_command(message))

    async def _unload(self, permit: Permit, args: list[object]) -> object:
        after = cbor.integer(_arguments(args, 1)[0], what="after_seq")
        return list(self._bags.next_frame(after_seq=after))

    def _meter(self, permit: Permit, value: object) -> int:
        meter = cbor.integer(value, what="meter", low=1, high=_U64)
        if meter not in self._homes.meters() or not permit.covers(meter):
            raise LocalRefused(
                "unknown_meter", "there is no such meter here, or not for your permit; nothing was done"
            )
        return meter


def _arguments(args: list[object], count: int) -> list[object]:
    if len(args) != count:
        raise BadShape(f"this request has {count} arguments")
    return args
