"""One M-Bus meter of one model: its register and its status, however many telegrams it takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from fairwatt.drivers.asking import Ask, Conversation, Retry, Talk
from fairwatt.drivers.contract import Conditions, MeterEventKind, RegisterReading
from fairwatt.drivers.errors import UnreadableValue
from fairwatt.drivers.profile import MeterProfile, ProfileError

from .frame import (
    ACK,
    FCB,
    REQ_UD2,
    RSP_MASK,
    RSP_UD,
    SELECT,
    SELECTED,
    SND_NKE,
    SND_UD,
    Telegram,
    long_frame,
    long_telegrams,
    short_frame,
)
from .header import Header, parse_address, read_header
from .records import FUNCTIONS, Record, Records, read_records

MBUS_RETRY: Final = Retry(attempts=3, reply_within_ms=2500)
"""The standard lets a meter think for 330 bit times and 50 ms; 260 bytes at 2400 bit/s take 1.2 s."""
TELEGRAMS_MAX: Final = 16
_STATUS: Final = {0x04: MeterEventKind.LOW_BATTERY, 0x08: MeterEventKind.METER_FAULT}


class MbusMeter:
    """A water, heat or gas meter on a wired M-Bus. It is read whole: every telegram it has."""

    def __init__(
        self,
        *,
        profile: MeterProfile,
        address: str,
        zone: str = "UTC",
        password: str = "",
        operator: str = "",
        retry: Retry = MBUS_RETRY,
    ) -> None:
        self.profile = profile
        self.address = address
        self._retry = retry
        self._called = parse_address(address)
        self._wanted = _wanted(profile)
        self._status = _status_bits(profile)

    def read_register(self) -> Conversation[RegisterReading]:
        """Ask for the cumulative register in litres, or in Wh of heat, rounded down to the profile's step."""
        return self._converse(self._register())

    def read_conditions(self) -> Conversation[Conditions]:
        """Ask what its status byte says is wrong now."""
        return self._converse(self._conditions())

    def read_records(self) -> Conversation[tuple[Header, tuple[Record, ...]]]:
        """Ask for everything the meter tells: its header and all its records, in order."""
        return self._converse(self._read())

    def _register(self) -> Talk[RegisterReading]:
        _, records = yield from self._read()
        found = next((record for record in records if self._wanted(record)), None)
        if found is None:
            raise UnreadableValue(
                what="records", data=b"", why="none of which is the register of its profile"
            )
        exact = found.number() / self.profile.resolution_wh
        total = exact.numerator // exact.denominator * self.profile.resolution_wh
        if not 0 <= total < self.profile.modulus_wh:
            raise UnreadableValue(what="its register", data=found.data, why="which its register cannot show")
        return RegisterReading(total, register=self.profile.register)

    def _conditions(self) -> Talk[Conditions]:
        header, _ = yield from self._read()
        return Conditions(frozenset(kind for mask, kind in self._status if header.status & mask == mask))

    def _read(self) -> Talk[tuple[Header, tuple[Record, ...]]]:
        """Say hello so that both sides agree on the frame count bit, then ask until nothing follows."""
        called = SELECTED if self._called.primary is None else self._called.primary
        if self._called.primary is None:
            data = self._called.identity
            yield _acknowledged(long_frame(control=SND_UD, address=SELECTED, ci=SELECT, data=data))
        else:
            yield _acknowledged(short_frame(control=SND_NKE, address=called))
        count, header, records = FCB, Header(), list[Record]()
        for _ in range(TELEGRAMS_MAX):
            request = short_frame(control=REQ_UD2 | count, address=called)
            told: tuple[Header, Records] = yield Ask(frame=request, hear=self._hear)
            header, part = told
            records += part.records
            if not part.more:
                return header, tuple(records)
            count ^= FCB
        raise UnreadableValue(what="records", data=b"", why=f"which go on beyond {TELEGRAMS_MAX} telegrams")

    def _hear(self, heard: bytes) -> tuple[Header, Records] | None:
        for telegram in long_telegrams(heard):
            if telegram.control & RSP_MASK == RSP_UD and (told := self._from_it(telegram)) is not None:
                header, data = told
                return header, read_records(data)
        return None

    def _from_it(self, telegram: Telegram) -> tuple[Header, bytes] | None:
        # Called by its primary address, a meter that cannot be understood is worth an error; called by its
        # identity, whoever cannot be identified is somebody else.
        try:
            header, data = read_header(telegram)
        except UnreadableValue:
            if telegram.address == self._called.primary:
                raise
            return None
        return (header, data) if self._called.matches(telegram=telegram, header=header) else None

    def _converse[ReplyT](self, talk: Talk[ReplyT]) -> Conversation[ReplyT]:
        return Conversation(number=self.address, talk=talk, retry=self._retry)


def _acknowledged(frame: bytes) -> Ask[bool]:
    # Level converters may echo the question, and any of its bytes may be E5H.
    return Ask(frame=frame, hear=lambda heard: True if ACK in heard.replace(frame, b"") else None)


def _wanted(profile: MeterProfile) -> Callable[[Record], bool]:
    row: dict[str, Any] = {"storage": 0, "tariff": 0, "device": 0, "function": "instantaneous"}
    row |= profile.settings.get("record", {})
    quantity = "energy" if profile.medium.unit == "Wh" else "volume"
    unknown = row.keys() - {"storage", "tariff", "device", "function"}
    whole = all(type(row[name]) is int and row[name] >= 0 for name in ("storage", "tariff", "device"))
    if unknown or not whole or row["function"] not in FUNCTIONS:
        raise ProfileError(
            f"Meter profile {profile.key!r}: [record] has storage, tariff and device as whole numbers and function "
            f"as one of {', '.join(FUNCTIONS)}; got {row}."
        )

    def wanted(record: Record) -> bool:
        is_it = record.unit.quantity == quantity and not record.unit.qualified and record.is_number
        return is_it and all(getattr(record, name) == value for name, value in row.items())

    return wanted


def _status_bits(profile: MeterProfile) -> tuple[tuple[int, MeterEventKind], ...]:
    """The standard's bits of the status byte, and those the profile adds: `leak = 0x20`."""
    own = profile.settings.get("status", {})
    try:
        added = [(int(mask), MeterEventKind(name)) for name, mask in own.items()]
    except (ValueError, TypeError) as error:
        raise ProfileError(
            f"Meter profile {profile.key!r}: [status] is lines like leak = 0x20 with one of "
            f"{', '.join(MeterEventKind)} ({error})."
        ) from error
    if any(not 0 < mask <= 0xFF for mask, _ in added):
        raise ProfileError(f"Meter profile {profile.key!r}: [status] has masks of one byte, above zero.")
    return (*_STATUS.items(), *added)
