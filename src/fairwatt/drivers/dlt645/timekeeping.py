"""A meter's clock: read as one instant, set by writing, corrected by a broadcast."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from fairwatt.drivers.contract import Accepted, Exchange, MeterClock, Step
from fairwatt.drivers.errors import BadRequest, UnreadableValue
from fairwatt.drivers.several import Several

from . import codec
from .access import write_item
from .client import broadcast_time, read_item
from .clock import from_meter_time, meter_date, meter_time
from .errors import ClockNotTaken
from .exchange import STANDARD_RETRY, Retry, one_meter

BROADCAST_STEP_US: Final = 300_000_000
"""Meters follow a broadcast by at most five minutes, once a day (State Grid practice)."""
TAKEN_WITHIN_US: Final = 60_000_000
_LAST_HOUR: Final = 0x23


def read_clock(*, address: str, zone: str, retry: Retry = STANDARD_RETRY) -> Several[MeterClock]:
    """Ask for the clock as one instant, from the date (04000101H) and the time (04000102H).

    They are two items, and midnight may pass between them: the date is asked before and after, and the
    time says which of the two belongs to it.
    """
    date = [
        read_item(address=address, identifier=codec.DATE, parse=_sized(4, "a date"), retry=retry)
        for _ in range(2)
    ]
    time = read_item(address=address, identifier=codec.TIME, parse=_sized(3, "a time"), retry=retry)
    return Several(parts=[date[0], time, date[1]], join=lambda replies: _instant(replies, zone))


def set_clock(
    *,
    address: str,
    at_us: int,
    zone: str,
    password: str,
    operator: str,
    retry: Retry = STANDARD_RETRY,
) -> Several[Accepted]:
    """Write date and time (14H), any step; the meter needs the password and counts it as programming.

    The instant is fixed when the exchange is made: make it right before it is asked. Within the last
    minute of a day of the meter's zone it is refused, since the two writes could fall on two days.
    """
    clock = meter_time(at_us=at_us, zone=zone)
    if clock[1:3] == b"\x59\x23":
        raise BadRequest(
            "A meter's clock is not set in the last minute of its day: date and time are two writes. Nothing was sent."
        )
    parts = [
        write_item(
            address=address,
            identifier=identifier,
            value=value,
            password=password,
            operator=operator,
            retry=retry,
        )
        for identifier, value in (
            (codec.DATE, meter_date(at_us=at_us, zone=zone)),
            (codec.TIME, clock[:3]),
        )
    ]
    return Several(parts=parts, join=lambda _: Accepted())


class BroadcastClock:
    """Correct every clock of a line by broadcast (08H), then look whether this meter followed.

    Nobody answers a broadcast: the first silence is the expected answer, and only then is the meter asked
    for its clock. Raises `BadRequest` when made for a wildcard, `ClockNotTaken` when the meter did not follow.
    """

    def __init__(self, *, address: str, at_us: int, zone: str, retry: Retry = STANDARD_RETRY) -> None:
        self._number = one_meter(number=address)[::-1].hex()
        self._at_us = at_us
        self._broadcast = broadcast_time(at_us=at_us, zone=zone)
        self._proof = read_clock(address=address, zone=zone, retry=retry)
        self._is_told = False
        self.retry = retry

    @property
    def reply_within_ms(self) -> int:
        """How long to wait after each send, the broadcast included."""
        return self.retry.reply_within_ms

    def request(self) -> bytes:
        """Return the broadcast first, then the question for the clock. Raises `NoAnswer`."""
        if not self._is_told:
            self._is_told = True
            return self._broadcast
        return self._proof.request()

    def feed(self, data: bytes) -> Accepted | Literal[Step.NEXT] | None:
        """Take bytes from the line; return `Accepted` once the meter's own clock shows the correction."""
        heard = self._proof.feed(data)
        if heard is None or isinstance(heard, Step):
            return heard
        off_us = heard.at_us - self._at_us
        if abs(off_us) > TAKEN_WITHIN_US:
            raise ClockNotTaken(number=self._number, off_s=off_us // 1_000_000)
        return Accepted()


def correct_clock(
    *, address: str, at_us: int, zone: str, off_us: int, retry: Retry = STANDARD_RETRY
) -> Exchange[Accepted]:
    """Correct a clock that is `off_us` away by broadcast. Raises `BadRequest` when that is too far for one."""
    if abs(off_us) > BROADCAST_STEP_US:
        raise BadRequest(
            f"A meter follows a broadcast by at most {BROADCAST_STEP_US // 1_000_000} s; it is "
            f"{abs(off_us) // 1_000_000} s off. Nothing was sent; write its clock with its password."
        )
    return BroadcastClock(address=address, at_us=at_us, zone=zone, retry=retry)


def _instant(replies: tuple[bytes, ...], zone: str) -> MeterClock:
    before, time, after = replies
    date = before if time[2] == _LAST_HOUR else after
    return MeterClock(from_meter_time(data=time + date[1:], zone=zone))


def _sized(size: int, what: str) -> Callable[[bytes], bytes]:
    def parse(data: bytes) -> bytes:
        if len(data) != size:
            raise UnreadableValue(what=what, data=data)
        return data

    return parse
