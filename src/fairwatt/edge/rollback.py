"""An older copy of the memory, noticed at the start, before anybody was asked."""

from __future__ import annotations

from typing import Final

import structlog

from fairwatt.edge.spool import Spool
from fairwatt.wire.frames import Detail, Event, Kind, encode_event

log = structlog.get_logger(__name__)

_ORDERS: Final = "commands_not_before"
_CODES: Final = "codes_not_before"


class Doubt:
    """From which instant on this memory knows what it obeyed, and which codes and permits it took."""

    def __init__(self, *, spool: Spool) -> None:
        self._spool = spool
        self.orders_us = _instant(spool, _ORDERS)
        """nothing issued earlier is obeyed"""
        self.codes_us = _instant(spool, _CODES)
        """no code and no permit of this day or instant, or of an earlier one, is known to be unused"""

    def begin(self, at_us: int, /, *, of_codes: bool) -> None:
        """This memory is an older copy: it no longer knows what it did before this instant."""
        self.orders_us = max(self.orders_us, at_us)
        kept = [(_ORDERS, self.orders_us)]
        if of_codes:
            self.codes_us = max(self.codes_us, at_us)
            kept.append((_CODES, self.codes_us))
        self._keep(kept)

    def set_back(self, now_us: int, /) -> None:
        """The clock was found ahead and set back: no doubt may reach into what is still to come."""
        self.orders_us, self.codes_us = min(self.orders_us, now_us), min(self.codes_us, now_us)
        self._keep([(_ORDERS, self.orders_us), (_CODES, self.codes_us)])

    def _keep(self, instants: list[tuple[str, int]]) -> None:
        self._spool.put([(key, value.to_bytes(8, "big", signed=True)) for key, value in instants])


def _instant(spool: Spool, key: str) -> int:
    kept = spool.get(key)
    return 0 if kept is None else int.from_bytes(kept, "big", signed=True)


def begun_anew(spool: Spool, *, now_us: int) -> bool:
    """Begin another life of a memory whose mark knows more than it does; whether that was so.

    The head-end gives fresh grants to a gateway that begins anew. What waits here is sent again, also what may have
    been sent: whether the head-end has it nobody here knows, and a reading that it has it takes for what it is.
    """
    newer = spool.newer
    if newer is None:
        return False
    detail: Detail = {
        "epoch": newer.epoch,
        "stored_seq": None,
        "marked_seq": newer.seq,
        "last_seq": spool.last_seq,
    }
    with spool.atomic():
        spool.new_epoch(now_us=now_us)
        event = encode_event(Event("spool_rolled_back", now_us, 0, detail))
        spool.append(kind=Kind.EVENT, body=event, at_us=now_us)
    log.error("spool_rolled_back", **detail)
    return True
