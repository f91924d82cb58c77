"""What the desk set each meter's alarms to, kept over a restart; a meter it said nothing about has its file's."""

from __future__ import annotations

from typing import Final

import structlog

from fairwatt.core.alarms.policy import AlarmPolicy, default_policy, with_settings
from fairwatt.edge.meters import MeterPoint
from fairwatt.edge.spool import Spool
from fairwatt.wire import cbor
from fairwatt.wire.errors import FrameError
from fairwatt.wire.standing import Slot, Watch, body_from_obj, body_to_obj

log = structlog.get_logger(__name__)

_KEPT: Final = "watch/"
_MAX_BYTES: Final = 32 * 1024


class Watches:
    """The newest word of the desk on each meter."""

    def __init__(self, *, spool: Spool) -> None:
        self._spool = spool
        self._known: dict[int, Watch] = {}
        self._own: dict[int, AlarmPolicy] = {}
        for key, kept in spool.entries(_KEPT):
            meter = int(key.removeprefix(_KEPT))
            try:
                obj = cbor.decode(kept, max_bytes=_MAX_BYTES, what="what a meter is watched for")
                body = body_from_obj(kind=Slot.WATCH, meter=meter, value=obj)
            except FrameError as error:
                log.error("watch_unreadable", meter=meter, error=str(error))
                continue
            if isinstance(body, Watch):
                self._known[meter] = body

    def get(self, meter: int, /) -> Watch | None:
        """What was set, None where nobody has."""
        return self._known.get(meter)

    def put(self, meter: int, watch: Watch, /) -> None:
        """Keep it, on the disk before anything goes by it."""
        self._spool.put([(f"{_KEPT}{meter}", cbor.encode(body_to_obj(watch)))])
        self._known[meter] = watch

    def policy(self, point: MeterPoint, *, zone: str) -> AlarmPolicy:
        """The rules of a meter: the desk's where it has spoken, else those of this gateway's file."""
        known = self._known.get(point.number)
        if known is not None:
            return known.policy
        own = self._own.get(point.number)
        if own is None:
            own = self._own[point.number] = _own_policy(point, zone)
        return own

    def feeder(self, point: MeterPoint) -> str:
        """The feeder that the meter is on: as the desk says, else its bus."""
        known = self._known.get(point.number)
        return (known.feeder if known is not None else "") or point.bus.config.name


def _own_policy(point: MeterPoint, zone: str) -> AlarmPolicy:
    # A profile's largest power is what no reading can exceed: a fifth above what the connection may carry.
    policy = default_policy(zone=zone, rated_w=point.profile.max_power_w * 5 // 6)
    return with_settings(policy=policy, settings=point.alarms)
