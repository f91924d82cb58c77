"""An older copy of the memory, noticed at the start, before anybody was asked."""

from __future__ import annotations

import structlog

from fairwatt.edge.spool import Spool
from fairwatt.wire.frames import Detail, Event, Kind, encode_event

log = structlog.get_logger(__name__)


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
